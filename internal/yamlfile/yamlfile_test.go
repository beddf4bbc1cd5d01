package yamlfile_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// Texts that nest deep are refused before they are parsed: the memory that this takes
// grows with the text, and not with its square.
func TestParse_RefusesWhatNestsDeep(t *testing.T) {
	const many = 20_000
	steps := &strings.Builder{}
	for i := range 2_000 {
		steps.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, text := range map[string]string{
		"lists in brackets":  strings.Repeat("[", many),
		"lists that end":     strings.Repeat("[", many) + strings.Repeat("]", many),
		"mappings in braces": strings.Repeat("{a: ", many),
		"dashes":             strings.Repeat("- ", many) + "a",
		"question marks":     strings.Repeat("? ", many) + "a",
		"anchors":            strings.Repeat("&a ", many) + "a",
		"tags":               strings.Repeat("!a ", many) + "a",
		"keys in a line":     strings.Repeat("a: ", many),
		"keys in lines":      steps.String(),
		"below a key":        "service: " + strings.Repeat("[", many),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := yamlfile.Parse(text, false)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, yamlfile.ErrDepth) {
				t.Errorf("gave %v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > uint64(1000*len(text)) {
				t.Errorf("took %d bytes for %d", used, len(text))
			}
		})
	}
}

// What people write is not deep, however long it is.
func TestParse_TakesWhatIsLong(t *testing.T) {
	const many = 2_000
	keys := &strings.Builder{}
	for i := range many {
		keys.WriteString(strings.Repeat("k", i%300+1) + strings.Repeat("x", i/300) + ": [ &a 1, !!str 2, { c: d } ]\n")
	}
	for name, text := range map[string]string{
		"a list":            strings.Repeat("- a\n", many),
		"lists of mappings": strings.Repeat("- a: 1\n  b:\n  - c\n  - d\n", many),
		"keys":              keys.String(),
		"a list in a line":  "[" + strings.Repeat("&a a, ", many) + "]",
		"key and list":      "a:\n" + strings.Repeat("- - b\n", many) + "c: d\n",
	} {
		if _, err := yamlfile.Parse(text, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParse_KeysTwice(t *testing.T) {
	const text = "a: 1\r\na: 2\r\n"
	if _, err := yamlfile.Parse(text, false); err == nil {
		t.Error("taken")
	}
	file, err := yamlfile.Parse(text, true)
	if err != nil || len(file.Docs) != 1 {
		t.Errorf("%v, %v", file, err)
	}
}

// Whatever the text is, there is a tree or an error.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "a: b", "- [ {a: &x b}, *x ]", "? a\n: b", "a: |\n  b\n", "--- !t\n...\n", "\t", "a: \"\\u\""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, twice := range []bool{false, true} {
			if file, err := yamlfile.Parse(text, twice); (file == nil) == (err == nil) {
				t.Errorf("%v, %v", file, err)
			}
		}
	})
}
