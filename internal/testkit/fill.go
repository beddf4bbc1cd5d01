package testkit

import "reflect"

// Obeyed is a text that a terminal would obey, shown as it is.
const Obeyed = "a\x1b[2J\rb"

// FillWithObeyed puts Obeyed into every text of what v points to, and one element into
// every list: a report that is made of it shows whether one of them is shown as it is.
func FillWithObeyed(v any) { fill(reflect.ValueOf(v).Elem()) }

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(Obeyed)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}
