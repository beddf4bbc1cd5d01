package resolved

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Load is a project's configuration as Kamal itself loads it, with places: the
// project's ERB is run, in Kamal's own process, without credentials of ours.
func Load(ctx context.Context, binary kamal.Binary, o kamal.ProjectOptions, env []string) (*kamal.Config, error) {
	written, err := kamal.ReadConfig(o) // for the places; also the better message where a file is not there
	if err != nil {
		return nil, err
	}
	late := noAnswerProblem(binary.Path, fmt.Sprintf("it takes longer than %s", kamal.ProbeTimeout))
	limited, cancel := context.WithTimeoutCause(ctx, kamal.ProbeTimeout, late)
	defer cancel()
	answer, err := Question{
		Kamal: binary.Path, Dir: o.Dir, ConfigFile: o.ConfigFile, Destination: o.Destination, Env: kamal.WithoutCredentials(env),
	}.Judged(limited)
	for _, p := range problem.Of(err) {
		p.Hint += ", or check without --erb"
	}
	if err != nil {
		return nil, err
	}
	o.Env = env // which says what the ERB has not found
	if answer.Summary != "" {
		return nil, told(o, "Kamal does not load ", answer.Summary)
	}
	decoder := json.NewDecoder(bytes.NewReader(answer.Raw))
	decoder.UseNumber()
	var raw any
	if err := decoder.Decode(&raw); err != nil {
		return nil, fmt.Errorf("reading Kamal's configuration: %w", err)
	}
	config, err := written.Evaluated(o, raw)
	if err == nil && answer.Refused != "" {
		config.Refused = told(o, "Kamal does not deploy ", answer.Refused)
	}
	return config, err
}

// told is what Kamal says of a configuration, led back to the files where they say more.
func told(o kamal.ProjectOptions, does, said string) *problem.Problem {
	if f, ok := kamal.ExplainConfig(o, said); ok {
		p := problem.New(f.Message(), f.Hint()).About(problem.UnreadableFile)
		p.Place = f.Place
		return p
	}
	config := cmp.Or(o.ConfigFile, kamal.DefaultConfigFile)
	p := problem.New(does+config+": "+strings.Join(strings.Fields(said), " "), "`kamal config` in the project's directory says the same").About(problem.UnreadableFile)
	p.Place.File = config
	return p
}
