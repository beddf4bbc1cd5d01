package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// lastWords is how many lines of Kamal's output are looked at for why it failed.
const lastWords = 20

// A follow is what is known of a Kamal that runs: its phases, its last words.
type follow struct {
	system   ci.System
	phases   *ci.Phases
	tail     ci.Tail
	follower *kamal.Follower
}

func newFollow(system ci.System) *follow {
	return &follow{system: system, phases: ci.NewPhases(system, nil)}
}

// end ends the phase under way and, where Kamal failed, tells why as far as its
// last words say: which phase, which host, the likely cause and the remedy. What
// is told is given back. Problems of ours that stopped Kamal are told by whoever
// has them.
func (f *follow) end(status int, ours problem.List) problem.List {
	phase := f.close(status)
	if status == problem.Done {
		return nil
	}
	if len(ours) > 0 || status == problem.Interrupted || status == problem.Terminated || status == problem.TimedOut {
		return ours
	}
	p := kamal.Diagnose(f.tail.Lines(lastWords)).Problem(phase, status)
	f.system.Error(p)
	return problem.List{p}
}

// where is what Kamal is at, for a sentence.
func (f *follow) where() string {
	if f != nil {
		if all := f.phases.All(); len(all) > 0 {
			return "in the phase " + all[len(all)-1].Title()
		}
	}
	return "while Kamal ran"
}

// close ends the phase under way, and gives the last one's title.
func (f *follow) close(status int) string {
	phase := ""
	if all := f.phases.All(); len(all) > 0 {
		phase = all[len(all)-1].Title()
	}
	if status == problem.Done {
		f.phases.End()
	} else {
		f.phases.Fail()
	}
	return phase
}

// report shows the run as a page beside the log, and gives later steps its
// outputs, where the system has such. No value stands in any of it.
func (s *session) report(ctx context.Context, j Job, project *kamal.Project, f *follow, status int, told problem.List, took time.Duration) {
	r := ci.Report{
		Command: j.Args[0], Service: project.Config.Service.Or(""), Destination: j.Project.Destination,
		Version: f.follower.Version(), RunURL: runURL(environment(j.Env)), Status: status, Took: took,
		Phases: f.phases.All(), Problems: told, Lock: s.locks.told(),
	}
	if status != problem.Done {
		r.LastWords = kamal.Diagnose(f.tail.Lines(lastWords)).Words
	}
	for _, d := range j.Wanted.Secrets {
		if d.Environment != "" {
			continue // it has no item
		}
		secret := ci.SecretReport{Name: d.Name, Vault: d.Ref.Vault, Item: d.Ref.Item, Field: d.Ref.Field, Public: d.Public}
		if item, err := s.resolver.Item(ctx, d.Ref.Vault, d.Ref.Item); err == nil {
			secret.ItemVersion = item.Version
			secret.Changed, _ = time.Parse(time.RFC3339, item.UpdatedAt) // zero where it is not known
		}
		r.Secrets = append(r.Secrets, secret)
	}
	if s.agent != nil {
		for user, n := range s.agent.Counts().Users {
			r.Signatures = append(r.Signatures, user+": "+strconv.Itoa(n))
		}
	}
	var hosts []string
	for _, host := range project.Config.Hosts {
		hosts = append(hosts, host.Name)
	}
	phases, err := json.Marshal(r.Phases)
	errs := []error{err, j.System.Summary(r.Markdown())}
	for _, output := range [][2]string{
		{"version", r.Version},
		{"hosts", strings.Join(hosts, ",")},
		{"duration", strconv.FormatFloat(took.Seconds(), 'f', 1, 64)},
		{"phases", string(phases)},
	} {
		errs = append(errs, j.System.Output(output[0], output[1]))
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			j.System.Warning(problem.New("the summary of the run could not be written: "+err.Error(), ""))
			return
		}
	}
}

// runURL is the page of this run on GitHub, "" elsewhere.
func runURL(env map[string]string) string {
	if env["GITHUB_SERVER_URL"] == "" || env["GITHUB_REPOSITORY"] == "" || env["GITHUB_RUN_ID"] == "" {
		return ""
	}
	return env["GITHUB_SERVER_URL"] + "/" + env["GITHUB_REPOSITORY"] + "/actions/runs/" + env["GITHUB_RUN_ID"]
}
