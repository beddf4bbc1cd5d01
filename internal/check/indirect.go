package check

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// indirectStarts are the ways by which a pipeline's file deploys that does not name kamal: a
// script, a target of make, an action or a workflow of the repository.
type indirectStarts struct {
	paths   []string // of the files that deploy, as others name them
	targets []string // commands that deploy: make release
	waiting []startFile
}

// A startFile is a pipeline's file that names no kamal.
type startFile struct{ top, name, text string }

var (
	recipeHead  = lazy.Regexp(`^([A-Za-z0-9][\w.-]*)(?:\s[^:]*)?:(?:[^=]|$)`)
	packageTask = lazy.Regexp(`"([\w:.-]+)"\s*:\s*"[^"\n]*kamal`)
	usesOwn     = lazy.Regexp(`(?m)\buses:\s*["']?\./([^\s"'#]+)`)
)

// add notes a file that deploys.
func (l *indirectStarts) add(top, name, text string) {
	relative, err := filepath.Rel(top, name)
	if err != nil {
		return
	}
	relative = filepath.ToSlash(relative)
	base := path.Base(relative)
	switch {
	case strings.EqualFold(base, "Makefile"):
		l.addRecipes("make ", text)
	case strings.EqualFold(base, "justfile"):
		l.addRecipes("just ", text)
	case base == "package.json":
		for _, m := range packageTask().FindAllStringSubmatch(text, -1) {
			for _, tool := range []string{"npm run ", "yarn ", "yarn run ", "pnpm ", "pnpm run ", "bun run "} {
				l.targets = append(l.targets, tool+m[1])
			}
		}
	case strings.HasPrefix(base, "action.y"):
		l.paths = append(l.paths, path.Dir(relative))
	case strings.HasPrefix(relative, ".github/workflows/"), strings.Contains(relative, "/"):
		l.paths = append(l.paths, relative)
	}
}

// addRecipes notes the targets whose lines name kamal.
func (l *indirectStarts) addRecipes(tool, text string) {
	target := ""
	for line := range strings.Lines(text) {
		if m := recipeHead().FindStringSubmatch(line); m != nil {
			target = m[1]
		}
		if target != "" && strings.Contains(line, "kamal") && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			l.targets = append(l.targets, tool+target)
		}
	}
}

// startedBy reports whether a text calls one of the files or targets.
func (l *indirectStarts) startedBy(text string) bool {
	return slices.ContainsFunc(slices.Concat(l.paths, l.targets), func(called string) bool {
		for rest := text; ; {
			at := strings.Index(rest, called)
			if at < 0 {
				return false
			}
			before, after := rest[:at], rest[at+len(called):]
			if !endsWord().MatchString(before) || !beginsWord().MatchString(after) {
				rest = after
				continue
			}
			if line := before[strings.LastIndex(before, "\n")+1:]; !strings.HasPrefix(strings.TrimSpace(line), "#") {
				return true
			}
			rest = after
		}
	})
}

var (
	endsWord   = lazy.Regexp(`(?:^|[^\w-])$`)
	beginsWord = lazy.Regexp(`^(?:[^\w.-]|$)`)
)

// readIndirect reads the pipelines' files that deploy without saying so, and the actions that
// they have elsewhere in the repository, until there are no more.
func (d *deployments) readIndirect() {
	for i := range d.indirect.waiting {
		d.readActions(d.indirect.waiting[i])
	}
	for again := true; again; {
		again = false
		d.indirect.waiting = slices.DeleteFunc(d.indirect.waiting, func(f startFile) bool {
			if !d.indirect.startedBy(f.text) {
				return false
			}
			again = true
			d.indirect.add(f.top, f.name, f.text)
			d.takeFile(f, true)
			return true
		})
	}
}

// readActions reads the repository's own actions that a file uses and that stand where
// nobody looks for them.
func (d *deployments) readActions(f startFile) {
	for _, m := range usesOwn().FindAllStringSubmatch(f.text, -1) {
		if strings.HasPrefix(m[1], ".github/") {
			continue // it was read
		}
		for _, name := range []string{"action.yml", "action.yaml"} {
			file := filepath.Join(f.top, filepath.FromSlash(m[1]), name)
			if text, err := os.ReadFile(file); err == nil && len(text) <= maxDeployFile && regexp.MustCompile(`\bkamal\b`).Match(text) {
				d.indirect.add(f.top, file, string(text))
				d.takeFile(startFile{f.top, file, string(text)}, true)
			}
		}
	}
}
