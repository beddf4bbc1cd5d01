package edit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// shareable are the options that hold for a project wherever it is deployed, and that the
// project file may say by itself: no check is weaker for them, and no token goes elsewhere.
var shareable = []string{"ssh-key", "ssh-certificate", "ssh-key-passphrase", "ssh-user", "secrets", "environment", "host-keys"}

// share moves what a migrated file gives to kamal-op into the project file, so that it
// holds for a terminal and every CI, and the file's one step has a token. What could then
// hold for more than the file said stays where it is, and the reason is told.
func (e *editor) share(f *workFile, ci CI) error {
	if err := e.openProjectFile(); err != nil {
		return err
	}
	s := sharing{editor: e, file: f, ci: ci, gone: map[int]bool{}}
	g := s.giver()
	if g == nil {
		return nil
	}
	if pattern, at, hidden := check.IgnoredByGit(e.o.Dir, projectfile.Name); hidden {
		s.stays("%s: %s hides it from git, so CI would not have it", at, pattern)
		return nil
	}
	moved, lines := s.movable(g, s.unknown(g.destination))
	s.take(g, moved)
	if g.destination != "" {
		lines = append([]string{"destinations:", "  " + g.destination + ":"}, indented(lines)...)
	}
	if strings.Contains(f.text, "OP_CONNECT_HOST") || strings.Contains(f.text, "connect-host:") {
		e.plan.note("%s: the address of the Connect server stays here: connect-host counts from %s only with --trust-project-file, since a branch could have the token sent elsewhere", f.name, projectfile.Name)
	}
	if len(moved) == 0 {
		return nil
	}
	if err := e.addToProjectFile(lines); err != nil {
		return err
	}
	s.cut()
	if _, _, err := parseWorkflow(f.text); err != nil {
		return refuseIn(f.name, 0, "give --workflow-only", "%s is written in a way that nothing can be moved from", f.name)
	}
	e.plan.note("%s: %s now, for a terminal and every CI: kamal-op config shows what holds", projectfile.Name, standThere(moved))
	return nil
}

// indented are lines as they stand under a destination.
func indented(lines []string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = strings.TrimRight("    "+line, " ")
	}
	return all
}

func standThere(options []string) string {
	if len(options) == 1 {
		return options[0] + " stands there"
	}
	return strings.Join(options, ", ") + " stand there"
}

// A sharing is the file that options are moved from.
type sharing struct {
	*editor

	file  *workFile
	ci    CI
	lines []string
	marks *aliases
	gone  map[int]bool // lines that are moved
}

// stays notes why all that the file gives stays in it.
func (s *sharing) stays(format string, args ...any) {
	s.plan.note("%s: what kamal-op is given stays here, and not in %s: %s", s.file.name, projectfile.Name, fmt.Sprintf(format, args...))
}

// unknown says why nothing can be said of a destination in the project file, "" where
// something can.
func (s *sharing) unknown(destination string) string {
	known := s.o.AllDestinations()
	switch {
	case strings.ContainsAny(destination, "$ <{"):
		return "a destination is decided when it runs"
	case destination != "" && !slices.Contains(known, destination):
		return "no configuration of the destination " + destination + " is here"
	case destination == "" && slices.ContainsFunc(known, func(d string) bool { return d != "" }):
		return "the project has destinations, for which it would hold, too"
	}
	return ""
}

// movable are the options that go, and their lines in the project file.
func (s *sharing) movable(g *giver, why string) (moved, lines []string) {
	there := s.inFile()
	for _, o := range g.options {
		reason := orElse(why, o.stays)
		if reason == "" && g.destination == "" && s.says(o) {
			moved = append(moved, o.name)
			continue
		}
		switch {
		case slices.Contains(there, o.name), o.name == "secrets" && slices.Contains(there, "secret"):
			reason = orElse(reason, "the project file has one already")
		case g.destination != "" && slices.Contains(there, "destinations"):
			reason = orElse(reason, "the project file has destinations already")
		}
		if reason != "" {
			s.plan.note("%s:%d: %s stays here, and not in %s: %s", s.file.name, o.from+1, o.name, projectfile.Name, reason)
			continue
		}
		moved, lines = append(moved, o.name), append(lines, o.text...)
	}
	return moved, lines
}

// inFile are the keys of the project file that is there.
func (s *sharing) inFile() (keys []string) {
	for _, pair := range yamlfile.Pairs(s.shared()) {
		keys = append(keys, pair.Key.GetToken().Value)
		for _, destination := range yamlfile.Pairs(pair.Value) {
			for _, option := range yamlfile.Pairs(destination.Value) {
				keys = append(keys, option.Key.GetToken().Value)
			}
		}
	}
	return keys
}

// says tells whether the project file has the same for all destinations.
func (s *sharing) says(o sharedOption) bool {
	n := yamlfile.Child(s.shared(), o.name)
	return n != nil && o.value != "" && scalarText(n) == o.value
}

// shared is the mapping of the project file, nil where there is none.
func (s *sharing) shared() ast.Node {
	f := s.editor.file(projectfile.Name)
	if f == nil {
		return nil
	}
	root, err := yamlfile.Parse(f.text, true)
	if err != nil || len(root.Docs) == 0 {
		return nil
	}
	return root.Docs[0].Body
}

// take notes the lines of what is moved, and those of a with: that has nothing else.
func (s *sharing) take(g *giver, moved []string) {
	if g.given == nil {
		return
	}
	left := len(yamlfile.Pairs(g.given.Value))
	for _, o := range g.options {
		if !slices.Contains(moved, o.name) {
			continue
		}
		left--
		for line := o.from; line < o.to; line++ {
			s.gone[line] = true
		}
	}
	if left == 0 {
		s.gone[g.given.Key.GetToken().Position.Line-1] = true
	}
}

// cut takes those lines out of the file.
func (s *sharing) cut() {
	var text strings.Builder
	for i, line := range s.lines {
		if !s.gone[i] {
			text.WriteString(line)
		}
	}
	s.file.text = text.String()
}
