package reference

import (
	"fmt"
	"strings"
)

// Files are the files of the repository that are made of the declarations, wholly or
// between two lines of theirs, as they must be. read reads a file of the repository.
func Files(g Grammar, read func(name string) (string, error)) (map[string]string, error) {
	files := map[string]string{"docs/schema/kamal-op.json": schema(g)}
	for _, part := range []struct{ file, from, to, text string }{
		{"action.yml", "\ninputs:\n", "\noutputs:\n", inputs(g)},
		{"docs/reference.md", "<!-- made by make generate -->\n", "", tables(g)},
		{"docs/review-apps.md", "<!-- options of review, made by make generate -->\n", "<!-- end of the options -->\n", reviewTable(g)},
		{"docs/project-file.md", "<!-- options, made by make generate -->\n", "<!-- end of the options -->\n", fileTable(g)},
	} {
		old, err := read(part.file)
		if err != nil {
			return nil, err
		}
		before, rest, found := strings.Cut(old, part.from)
		if !found {
			return nil, fmt.Errorf("%s has no line %q", part.file, strings.TrimSpace(part.from))
		}
		after := ""
		if part.to != "" {
			if _, after, found = strings.Cut(rest, part.to); !found {
				return nil, fmt.Errorf("%s has no line %q", part.file, strings.TrimSpace(part.to))
			}
		}
		files[part.file] = before + part.from + part.text + part.to + after
	}
	native, err := nativeAction(g, files["action.yml"])
	if err != nil {
		return nil, err
	}
	files["native/action.yml"] = native
	return files, nil
}
