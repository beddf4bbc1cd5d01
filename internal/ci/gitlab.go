package ci

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// gitlab is GitLab CI. It has no masks at run time that could be relied on, no
// outputs but files that a job declares, and no page; its groups are sections,
// which are not collapsed, since one cannot be opened afterwards.
type gitlab struct {
	*plain
	sections int
}

func newGitLab(g *gate.Gate, out *gate.Stream, o Options) System {
	return &gitlab{plain: newPlain("GitLab", g, out, o)}
}

func (s *gitlab) Group(title string) {
	s.EndGroup()
	title = s.title(title)
	s.mu.Lock()
	s.sections++
	name := fmt.Sprintf("kamal_op_%d_%s", s.sections, sectionName(title))
	s.mu.Unlock()
	s.open(name)
	s.section("start", name, title)
}

func (s *gitlab) EndGroup() {
	if name := s.open(""); name != "" {
		s.section("end", name, "")
	}
}

// section writes a section's mark as GitLab's documentation has it.
func (s *gitlab) section(what, name, title string) {
	s.mark(fmt.Sprintf("\x1b[0Ksection_%s:%d:%s\r\x1b[0K%s", what, s.o.Now().Unix(), name, title))
}

// sectionName is a title in the letters that a section's name may have.
func sectionName(title string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return '_'
	}, title)
}
