package gate

import "reflect"

// Cleaned is a copy of v in which every text is masked, however deep: what becomes
// a page is masked before it is escaped, cut or put into a table. Unexported fields
// and what stands behind an interface are copied as they are.
func Cleaned[T any](g *Gate, v T) T {
	return clean(g, reflect.ValueOf(&v).Elem()).Interface().(T)
}

func clean(g *Gate, v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(g.Text(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(clean(g, v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(clean(g, v.Field(i)))
			}
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(clean(g, v.Index(i)))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			out.Index(i).Set(clean(g, v.Index(i)))
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMap(v.Type()))
			for _, key := range v.MapKeys() {
				out.SetMapIndex(clean(g, key), clean(g, v.MapIndex(key)))
			}
		}
	}
	return out
}
