package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// buildkiteAgent is the program that a job talks to Buildkite by.
const buildkiteAgent = "buildkite-agent"

// headlines begin a group, or open one, at the beginning of a line.
var headlines = []string{"--- ", "---\t", "+++ ", "+++\t", "~~~ ", "~~~\t", "^^^ ", "^^^\t"}

// buildkite is Buildkite. A group is a headline and goes on to the next one.
type buildkite struct {
	*plain
	told sync.Once // that the agent does not take masks
}

func newBuildkite(out io.Writer, o Options) System {
	s := &buildkite{plain: newPlain("Buildkite", out, o)}
	s.log = newLog(out, func(w io.Writer) Stream {
		return newGuard(w, headlines, nil)
	})
	return s
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
		err = s.agent(bytes.NewReader(list), "redactor", "add", "--format", "json")
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

// agent runs the agent's command.
func (s *buildkite) agent(stdin io.Reader, args ...string) error {
	if s.o.Run == nil {
		return errors.ErrUnsupported
	}
	return s.o.Run(stdin, buildkiteAgent, args...)
}

func (s *buildkite) Group(title string) { s.info("--- " + visible(oneLine(title))) }

// KeepOpen opens the group that the line stands in.
func (s *buildkite) KeepOpen() { s.info("^^^ +++") }

// Error opens the group that it stands in: it would not be seen otherwise.
func (s *buildkite) Error(p *problem.Problem) {
	s.info(Text(Error, p, false) + "\n^^^ +++")
}

// Output is a piece of the build's meta-data, kamal-op:name.
func (s *buildkite) Output(name, value string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q is no name for a value", name)
	}
	return s.agent(strings.NewReader(value), "meta-data", "set", "kamal-op:"+name)
}

// Summary is an annotation of the build.
func (s *buildkite) Summary(markdown string) error {
	return s.agent(strings.NewReader(cutPage(markdown, largestPage)), "annotate", "--style", "info", "--context", "kamal-op", "--append")
}
