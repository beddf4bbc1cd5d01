package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// buildkiteAgent is the program that a job talks to Buildkite by.
const buildkiteAgent = "buildkite-agent"

// buildkite is Buildkite. A group is a headline and goes on to the next one.
type buildkite struct {
	*plain
	told sync.Once // that the agent does not take masks
}

func newBuildkite(g *gate.Gate, out *gate.Stream, o Options) System {
	return &buildkite{plain: newPlain("Buildkite", g, out, o)}
}

// Mask gives the values to the agent, each as a whole and line by line. Where
// the agent does not take them our own masking has to do, and that is told.
func (s *buildkite) Mask(secrets ...mask.Secret) error {
	values := map[string]string{}
	for _, secret := range secrets {
		for _, value := range append(lines(secret.Reveal()), secret.Reveal()) {
			if len(value) >= shortest {
				values[strconv.Itoa(len(values))] = value
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	list, err := json.Marshal(values)
	if err == nil {
		err = s.gate.MaskHelp(bytes.NewReader(list), buildkiteAgent, "redactor", "add", "--format", "json")
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		s.told.Do(func() {
			s.Warning(&problem.Problem{
				Message: "Buildkite's agent did not take the values to redact",
				Details: []string{err.Error()},
				Hint:    "they are masked here all the same; the agent's own redaction needs version 3.67 or later, and the job its agent",
			})
		})
	}
	return nil
}

func (s *buildkite) Group(title string) { s.mark("--- " + s.title(title)) }

// KeepOpen opens the group that the line stands in.
func (s *buildkite) KeepOpen() { s.mark("^^^ +++") }

// Error opens the group that it stands in: it would not be seen otherwise.
func (s *buildkite) Error(p *problem.Problem) {
	s.plain.Error(p)
	s.mark("^^^ +++")
}

// Output is a piece of the build's meta-data, kamal-op:name.
func (s *buildkite) Output(name, value string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q is no name for a value", name)
	}
	return s.gate.Help(value, buildkiteAgent, "meta-data", "set", "kamal-op:"+name)
}

// Summary is an annotation of the build.
func (s *buildkite) Summary(markdown string) error {
	return s.gate.Help(cutPage(s.gate.Text(markdown), largestPage), buildkiteAgent, "annotate", "--style", "info", "--context", "kamal-op", "--append")
}
