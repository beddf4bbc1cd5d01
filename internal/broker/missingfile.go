package broker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// missingFile is the file that a definition is the text of, `$(cat config/master.key)`, if
// it is not there; else "". Only a path that stands there as it is counts.
func (j *evaluation) missingFile(d kamal.Definition) string {
	if j.b.o.Project == nil || len(d.Parts) != 1 || d.Kind != kamal.Command {
		return ""
	}
	words := strings.Fields(d.Parts[0].Text)
	if len(words) != 2 || words[0] != "cat" || strings.ContainsAny(words[1], "\"'`\\$*?[{~|;&<>()#") {
		return ""
	}
	path := words[1]
	if !filepath.IsAbs(path) {
		path = filepath.Join(j.b.o.Project.Dir, path)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return words[1]
}
