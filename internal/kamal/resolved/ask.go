package resolved

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/owner"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Question is whose configuration Kamal is asked for.
type Question struct {
	Kamal       string // its path
	Dir         string // the project's directory, where Kamal runs
	ConfigFile  string // "" is Kamal's own
	Destination string // or ""
	Env         []string
	TempDir     string // for what Kamal loads; "" is that of the environment
}

// An Answer is what Kamal says: the configuration, or why there is none.
type Answer struct {
	Raw      json.RawMessage `json:"raw"`      // the files after ERB, with the destination's merged in
	Resolved *Configuration  `json:"resolved"` // with defaults, and found valid

	Error   string `json:"error"`   // in Kamal's words, which may quote values; "" for none
	Summary string `json:"summary"` // the error without what may be a value
	Refused string `json:"refused"` // why Kamal would not deploy it, likewise; "" where it would, or was not asked
}

// Raw asks for what the files say after ERB and merge. Kamal does not look whether it
// can deploy with that.
func (q Question) Raw(ctx context.Context) (Answer, error) { return q.ask(ctx, "raw") }

// Judged is Raw, and asks whether Kamal would deploy that.
func (q Question) Judged(ctx context.Context) (Answer, error) { return q.ask(ctx, "judged") }

// Resolve asks for the configuration.
func (q Question) Resolve(ctx context.Context) (Answer, error) { return q.ask(ctx, "resolved") }

func (q Question) ask(ctx context.Context, want string) (answer Answer, err error) {
	dir, err := q.makeDir()
	if err != nil {
		return answer, fmt.Errorf("a directory for what Kamal is asked with: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // it holds a script of ours, and no secret
	script := filepath.Join(dir, "resolved.rb")
	if err := os.WriteFile(script, []byte(Preload), 0o600); err != nil {
		return answer, fmt.Errorf("writing what Kamal loads: %w", err)
	}
	if q.ConfigFile == "" {
		q.ConfigFile = kamal.DefaultConfigFile
	}
	mark := "kamal-op-" + rand.Text() + ":"
	env := environ.List(q.Env)
	env = env.With("RUBYOPT", kamal.RubyOptions(script, env.Get("RUBYOPT")))
	env = append(env, "KAMAL_OP_RESOLVED="+mark, "KAMAL_OP_RESOLVED_WANT="+want,
		"KAMAL_OP_RESOLVED_CONFIG="+q.ConfigFile, "KAMAL_OP_RESOLVED_DESTINATION="+q.Destination)

	cmd := kamal.NewCommand(ctx, q.Kamal, "version")
	cmd.Dir, cmd.Env = q.Dir, env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	_, line, found := strings.Cut(stdout.String(), "\n"+mark)
	if !found {
		if ctx.Err() != nil {
			return answer, context.Cause(ctx)
		}
		said := kamal.LastLine(stderr.String())
		if said == "" && runErr != nil {
			said = runErr.Error()
		}
		return answer, noAnswerProblem(q.Kamal, said)
	}
	line, _, _ = strings.Cut(line, "\n")
	if err := json.Unmarshal([]byte(line), &answer); err != nil {
		return answer, fmt.Errorf("reading Kamal's configuration: %w", err)
	}
	return answer, nil
}

// makeDir makes a directory for what Kamal loads: whoever could put another in its
// place would have Kamal run it. A path with a space cannot stand in RUBYOPT.
func (q Question) makeDir() (string, error) {
	temp := q.TempDir
	if temp == "" {
		temp = environ.List(q.Env).Get("TMPDIR")
	}
	if strings.ContainsAny(temp, " \t\n") {
		temp = ""
	}
	place, err := owner.Place(temp, "/tmp")
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(place, "kamal-op-config-")
}

// noAnswerProblem is the problem of a Kamal that does not answer.
func noAnswerProblem(path, said string) *problem.Problem {
	p := problem.New("kamal at "+path+" does not tell its configuration", "try `kamal config` in the project's directory").About(problem.KamalFailed)
	if said != "" {
		p.Details = []string{said}
	}
	return p
}
