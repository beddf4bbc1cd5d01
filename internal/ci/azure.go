package ci

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// azure is Azure Pipelines, whose agent reads commands out of a task's output. It
// masks a value of one line from the command on; groups are folded, and a warning or
// an error stands on the build's page.
type azure struct {
	*plain
	asked  sync.Once
	tells  bool            // the agent reads the commands
	masked map[string]bool // guarded by mu
}

func newAzure(g *gate.Gate, out *gate.Stream, o Options) System {
	return &azure{plain: newPlain("Azure Pipelines", g, out, o), masked: map[string]bool{}}
}

// Mask gives one command for each line of 4 bytes and more. Agents differ in whether
// they take %AZP25 for a percent sign, so that a value with one is given both ways.
func (s *azure) Mask(secrets ...mask.Secret) error {
	if len(secrets) == 0 || !s.reachesAgent() {
		return nil
	}
	var commands []string
	s.mu.Lock()
	for _, secret := range secrets {
		for _, line := range lines(secret.Reveal()) {
			for _, form := range []string{line, azureText(line)} {
				if len(line) >= shortest && !s.masked[form] {
					s.masked[form] = true
					commands = append(commands, "##vso[task.setsecret]"+form)
				}
			}
		}
	}
	s.mu.Unlock()
	return s.log.MaskCommands(commands)
}

// reachesAgent reports whether the agent reads what is printed for it to mask; that it
// does not is said once.
func (s *azure) reachesAgent() bool {
	s.asked.Do(func() {
		var reader string
		if reader, s.tells = s.log.TellsRunner(); !s.tells {
			s.Notice(problem.New(fmt.Sprintf("Azure Pipelines is not told what to mask: %s reads the commands for it, and would write down the values", reader),
				"the values are masked here all the same. Without a pipe or a file in between the agent masks them as well"))
		}
	})
	return s.tells
}

func (s *azure) Group(title string) {
	s.EndGroup()
	title = s.title(title)
	s.open(title)
	s.mark("##[group]" + title)
}

func (s *azure) EndGroup() {
	if s.open("") != "" {
		s.mark("##[endgroup]")
	}
}

func (s *azure) Warning(p *problem.Problem) { s.issue(Warning, p) }
func (s *azure) Error(p *problem.Problem)   { s.issue(Error, p) }

// issue tells a problem at its place.
func (s *azure) issue(level Level, p *problem.Problem) {
	p = s.gate.Problem(p)
	kind, at := "warning", ""
	if level == Error {
		kind = "error"
	}
	if p.Place.File != "" {
		at = ";sourcepath=" + azureProperty(s.gate.Harmless(gate.OneLine(p.Place.File)))
		if p.Place.Line > 0 {
			at += ";linenumber=" + strconv.Itoa(p.Place.Line)
		}
		if p.Place.Line > 0 && p.Place.Column > 0 {
			at += ";columnnumber=" + strconv.Itoa(p.Place.Column)
		}
	}
	s.mark("##vso[task.logissue type=" + kind + at + "]" + azureText(s.gate.Harmless(strings.Join(s.lines(level, p), "\n"))))
}

// Output is a variable of the job, and of later ones as an output of the step.
func (s *azure) Output(name, value string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q is no name for a value", name)
	}
	s.mark("##vso[task.setvariable variable=" + name + ";isOutput=true]" + azureText(s.gate.Harmless(s.gate.Value(value))))
	return nil
}

// azureText is a command's text as the agent takes it.
func azureText(text string) string {
	return strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// azureProperty is a property's value likewise.
func azureProperty(text string) string {
	return strings.NewReplacer(";", "%3B", "]", "%5D").Replace(azureText(text))
}
