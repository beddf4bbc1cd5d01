package mask

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"
)

const value = "hunter2-hunter2"

// TestSecret_PrintsAsStars prints a Secret in every way there is and wants the
// value in none of them.
func TestSecret_PrintsAsStars(t *testing.T) {
	s := NewSecret("DB", value)
	type exported struct{ S Secret }
	type pointed struct{ S *Secret }
	type unexported struct {
		s Secret
		p *Secret
	}
	type embedded struct{ Secret }
	printed := map[string]string{}
	for _, verb := range "vsdqxXtbcoOUeEfFgGpTw%zZ" {
		for _, flag := range []string{"", "+", "#", "-", " ", "0", "20", ".3", "+#20.5", "[1]"} {
			printed["%"+flag+string(verb)] = fmt.Sprintf("%"+flag+string(verb), s)
		}
	}
	shown := map[string]any{
		"value": s, "pointer": &s, "field": exported{s}, "pointer field": pointed{&s},
		"hidden field": unexported{s, &s}, "embedded": embedded{s}, "slice": []Secret{s},
		"map": map[string]Secret{"a": s}, "key": map[Secret]int{s: 1}, "any": any(s), "array": [1]Secret{s},
		"pointers": []*Secret{&s}, "error": fmt.Errorf("x %v %w", s, errors.New("y")), "nested": map[string]any{"a": []any{exported{s}}},
	}
	for name, x := range shown {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			printed[name+format] = fmt.Sprintf(format, x)
		}
		printed[name+" Print"] = fmt.Sprint(x) + fmt.Sprintln(x)
		if b, err := json.Marshal(x); err == nil {
			printed[name+" JSON"] = string(b)
		}
		if b, err := xml.Marshal(x); err == nil {
			printed[name+" XML"] = string(b)
		}
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(x); err == nil {
			printed[name+" gob"] = b.String()
		}
		b.Reset()
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "k", x)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "k", x, slog.Group("g", "k", x))
		printed[name+" slog"] = b.String()
		b.Reset()
		if err := template.Must(template.New("").Parse("{{.}}{{printf `%#v` .}}")).Execute(&b, x); err != nil {
			t.Error(err)
		}
		printed[name+" template"] = b.String()
	}
	func() {
		defer func() { printed["panic"] = fmt.Sprint(recover()) }()
		panic(s)
	}()
	for how, got := range printed {
		for _, form := range []string{value, "hunter2", fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), fmt.Sprint([]byte(value))} {
			if strings.Contains(got, form) {
				t.Errorf("%s shows the value: %s", how, got)
			}
		}
	}
	for _, how := range []string{"%v", "%+v", "%#v", "%s", "%d", "%q", "%x"} {
		if printed[how] != "***" {
			t.Errorf("%s gives %q", how, printed[how])
		}
	}
	if got := printed["field JSON"]; got != `{"S":"***"}` {
		t.Errorf("JSON: %s", got)
	}
	if got := printed["key JSON"]; got != `{"***":1}` {
		t.Errorf("JSON of a key: %s", got)
	}
}

func TestSecret_RevealIsTheOnlyWayOut(t *testing.T) {
	s := NewSecret("DB", value)
	if s.Name() != "DB" || s.Reveal() != value || s.Len() != len(value) {
		t.Errorf("name %q, %d bytes", s.Name(), s.Len())
	}
	var zero Secret
	if zero.Name() != "" || zero.Reveal() != "" || zero.Len() != 0 || zero.String() != "***" {
		t.Error("the zero Secret is not empty")
	}
	if !s.Equal(NewSecret("DB", value)) || s.Equal(NewSecret("DB", value+"x")) || s.Equal(NewSecret("X", value)) {
		t.Error("Equal does not compare name and value")
	}
	if same := s; same != s || s == NewSecret("DB", value) {
		t.Error("== compares more than whether one is a copy of the other")
	}
}
