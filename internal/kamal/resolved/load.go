package resolved

import (
	"bytes"
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
	late := notTold(binary.Path, fmt.Sprintf("it takes longer than %s", kamal.ProbeTimeout))
	limited, cancel := context.WithTimeoutCause(ctx, kamal.ProbeTimeout, late)
	defer cancel()
	answer, err := Question{
		Kamal: binary.Path, Dir: o.Dir, ConfigFile: o.ConfigFile, Destination: o.Destination, Env: kamal.WithoutCredentials(env),
	}.Raw(limited)
	for _, p := range problem.Of(err) {
		p.Hint += ", or check without --erb"
	}
	if err != nil {
		return nil, err
	}
	if f, ok := kamal.ExplainConfig(o, answer.Summary); ok {
		p := problem.New(f.Message(), f.Hint()).About(problem.UnreadableFile)
		p.Place = f.Place
		return nil, p
	}
	if answer.Summary != "" {
		config := o.ConfigFile
		if config == "" {
			config = kamal.DefaultConfigFile
		}
		p := problem.New("Kamal does not load "+config+": "+strings.Join(strings.Fields(answer.Summary), " "), "`kamal config` in the project's directory says the same").About(problem.UnreadableFile)
		p.Place.File = config
		return nil, p
	}
	decoder := json.NewDecoder(bytes.NewReader(answer.Raw))
	decoder.UseNumber()
	var raw any
	if err := decoder.Decode(&raw); err != nil {
		return nil, fmt.Errorf("reading Kamal's configuration: %w", err)
	}
	return written.Evaluated(o, raw)
}
