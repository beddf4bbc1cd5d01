package onepassword_test

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/mask"
)

// TestParseDeclaration_ReadsQuotes: a shell takes quotes away, an input does not.
func TestParseDeclaration_ReadsQuotes(t *testing.T) {
	for _, text := range []string{`"op://MyApp/Production"`, `'A=op://MyApp/Production/A'`, `A="op://MyApp/Production/A"`, "`op://MyApp/Production`", "A=“op://MyApp/Production/A”"} {
		_, err := onepassword.ParseDeclaration(text, "--secret")
		if err == nil || !strings.Contains(err.Error(), "in quotes") || !strings.Contains(problem.Of(err)[0].Hint, "take the quotes away") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// hintVault has what people get wrong when they name it.
func hintVault() []standin.VaultSpec {
	return []standin.VaultSpec{{ID: id("v"), Name: "Team/App", Items: []standin.ItemSpec{
		{Title: "Prod/EU", Fields: []standin.FieldSpec{{Label: "A", Value: "1"}}},
		{
			ID: id("one"), Title: "One", Sections: []standin.SectionSpec{{ID: id("s1"), Label: "db"}, {ID: id("s2"), Label: "DB"}, {ID: id("s3"), Label: "cache"}},
			Fields: []standin.FieldSpec{
				{ID: id("slash"), Label: "db/password", Value: "1"},
				{ID: id("x1"), Label: "x", Value: "1", Section: id("s1")},
				{ID: id("x2"), Label: "x", Value: "2", Section: id("s2")},
				{ID: id("y1"), Label: "y", Value: "1", Section: id("s1")},
				{ID: id("y2"), Label: "y", Value: "2", Section: id("s3")},
				{ID: id("z1"), Label: "z", Value: "1"},
				{ID: id("z2"), Label: "z", Value: "2"},
			},
		},
	}}}
}

// TestResolver_GivesHints: the hint of each mistake leads to what works.
func TestResolver_GivesHints(t *testing.T) {
	_, r := startVault(t, standin.VaultOptions{Vaults: hintVault()})
	for reference, want := range map[string]string{
		"op://Team/App/One/x":                "a / in a name is written %2F: did you mean Team%2FApp?",
		"op://Team%2FApp/Prod/EU/A":          "a / in a name is written %2F: did you mean Prod%2FEU?",
		"op://Team%2FApp/One/db/password":    "a / in a name is written %2F: op://Team%2FApp/One/db%2Fpassword",
		"op://Team%2FApp/One/cache/password": "correct the field's name",
		"op://Team%2FApp/One/none/password":  "correct the section's name",
		// The section is named already, or says nothing: only the id tells them apart.
		"op://Team%2FApp/One/db/x": "name the field by its id: op://Team%2FApp/One/" + id("x1"),
		"op://Team%2FApp/One/x":    "name the field by its id: op://Team%2FApp/One/" + id("x1"),
		"op://Team%2FApp/One/z":    "name the field by its id: op://Team%2FApp/One/" + id("z1"),
		"op://Team%2FApp/One/y":    "name the section too, or the field by its id",
		"op://Private/One/x":       "no service account and no Connect server can be given a person's own vault",
		"op://employee/One/x":      "no service account and no Connect server can be given a person's own vault",
		"op://Privat/One/x":        "correct the name, or give the credentials read access to the vault",
	} {
		ref, err := onepassword.ParseReference(reference)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Read(t.Context(), ref)
		if err == nil || !strings.HasPrefix(problem.Of(err)[0].Hint, want) {
			t.Errorf("%s: %v, want %q", reference, problem.Of(err), want)
		}
		// What a hint says is a reference that works.
		if _, after, ok := strings.Cut(want, ": op://"); ok {
			better, err := onepassword.ParseReference("op://" + after)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Read(t.Context(), better); err != nil {
				t.Errorf("%s, as the hint has it: %v", better, err)
			}
		}
	}
}

// TestResolver_ReportsCollisionsOnce: two items that have their fields in common are
// one mistake.
func TestResolver_ReportsCollisionsOnce(t *testing.T) {
	fields := []standin.FieldSpec{{Label: "A", Value: "1"}, {Label: "B", Value: "2"}, {Label: "C", Value: "3"}}
	_, r := startVault(t, standin.VaultOptions{Vaults: []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{
		{Title: "one", Fields: fields},
		{Title: "two", Fields: fields},
		{Title: "three", Fields: []standin.FieldSpec{{Label: "X", Value: "1"}, {Label: "X", Value: "2"}, {Label: "X", Value: "3"}}},
	}}}})
	_, err := r.Resolve(t.Context(), declare(t, "op://MyApp/one", "op://MyApp/two", "C=op://MyApp/one/A", "op://MyApp/three"))
	want := []string{
		"A, B, C are declared twice: by op://MyApp/one (--secret) and by op://MyApp/two (--secret)",
		"C is declared twice: by op://MyApp/one (--secret) and by op://MyApp/one/A (--secret)",
		`op://MyApp/three: the item has the field "X" more than once`,
	}
	list := problem.Of(err)
	if len(list) != len(want) {
		t.Fatalf("%d problems: %v", len(list), err)
	}
	for n, p := range list {
		if p.Message != want[n] {
			t.Errorf("%q, want %q", p.Message, want[n])
		}
	}
	if len(list[2].Details) != 3 {
		t.Errorf("details: %q", list[2].Details)
	}
}

func TestIsBlank(t *testing.T) {
	for value, want := range map[string]bool{"": false, " ": true, "\n": true, " \t\r\n": true, "\u00a0": true, " x": false, "\u200b": false} {
		if got := onepassword.IsBlank(mask.NewSecret("A", value)); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

// TestResolver_SaysWhatIsThere: what is missing is told with what is there in its
// place, also where that is nothing, and not more than twenty of it.
func TestResolver_SaysWhatIsThere(t *testing.T) {
	var many []standin.FieldSpec
	for n := range 23 {
		many = append(many, standin.FieldSpec{Label: "FIELD_" + string(rune('A'+n)), Value: "1"})
	}
	_, r := startVault(t, standin.VaultOptions{Vaults: []standin.VaultSpec{
		{Name: "Empty"},
		{Name: "MyApp", Items: []standin.ItemSpec{{Title: "None"}, {Title: "Many", Fields: many}, {Title: "Twenty", Fields: many[:20]}}},
	}})
	_, blind := startVault(t, standin.VaultOptions{})
	for _, test := range []struct {
		r         *onepassword.Resolver
		reference string
		want      string
	}{
		{r, "op://Nowhere/x/x", "they can see: Empty, MyApp"},
		{r, "op://Empty/x/x", "it has no items"},
		{r, "op://MyApp/x/x", "it has: None, Many, Twenty"},
		{r, "op://MyApp/None/x", "it has no fields"},
		{r, "op://MyApp/None/s/x", "it has no sections"},
		{r, "op://MyApp/Many/x", "FIELD_S, FIELD_T and 3 more"},
		{r, "op://MyApp/Twenty/x", "FIELD_S, FIELD_T"},
		{blind, "op://MyApp/x/x", ""},
	} {
		ref, err := onepassword.ParseReference(test.reference)
		if err != nil {
			t.Fatal(err)
		}
		_, err = test.r.Read(t.Context(), ref)
		if err == nil {
			t.Errorf("%s: passed", test.reference)
			continue
		}
		p := problem.Of(err)[0]
		if test.want == "" {
			if len(p.Details) != 0 || !strings.Contains(p.Message, "can see no vault") {
				t.Errorf("%s: %+v", test.reference, p)
			}
			continue
		}
		if len(p.Details) != 1 || !strings.HasSuffix(p.Details[0], test.want) {
			t.Errorf("%s: %q, want %q", test.reference, p.Details, test.want)
		}
	}
}
