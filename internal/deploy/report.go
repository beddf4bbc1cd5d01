package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// report shows the run as a page beside the log, and gives later steps its
// outputs, where the system has such. No value stands in any of it.
func (s *runner) report(ctx context.Context, f *progress, name string, status int, told problem.List, took time.Duration) {
	j, project := s.job, s.project
	r := ci.Report{
		Command: name, Service: project.Config.Service.Or(""), Destination: j.Project.Destination,
		Version: f.follower.Version(), URL: project.Config.Proxy.URL(), RunURL: runURL(environ.List(j.Env).Map()), Status: status, Took: took,
		Phases: addBootPhases(f.phases.All(), s.broker.BootTimes(), time.Now()), Problems: told,
	}
	if status != problem.Done {
		r.LastWords = kamal.Diagnose(f.lastLines()).Words
	}
	s.fillReport(ctx, &r)
	r.Rollback = rollbackCommand(r, j.Project.ConfigFile)
	var hosts []string
	for _, host := range project.Config.Hosts {
		hosts = append(hosts, host.Name)
	}
	phases, err := json.Marshal(r.Phases)
	s.addHistory(&r)
	if ci.ShowsClosing(j.System) { // what has changed is to be read last
		s.uses.log(j.System)
		s.logSignatures()
	}
	shown := gate.Cleaned(j.Gate, r)
	ci.ShowClosing(j.System, shown)
	errs := []error{err, j.System.Summary(shown.Markdown())}
	for _, output := range [][2]string{
		{"version", r.Version},
		{"url", r.URL},
		{"hosts", strings.Join(hosts, ",")},
		{"duration", strconv.FormatFloat(took.Seconds(), 'f', 1, 64)},
		{"phases", string(phases)},
	} {
		if output[0] == "url" && output[1] == "" {
			continue // deploy.yml does not say
		}
		errs = append(errs, j.System.Output(output[0], output[1]))
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			j.System.Warning(problem.New("the summary of the run could not be written: "+err.Error(), ""))
			return
		}
	}
}

// fillReport puts what a run knows into a report, whichever commands of Kamal's it has run:
// hosts, secrets by their names, signatures, the deploy lock.
func (s *runner) fillReport(ctx context.Context, r *ci.Report) {
	r.Lock = s.locks.eventLog()
	for _, h := range s.broker.Versions() {
		r.Hosts = append(r.Hosts, ci.HostReport(h))
	}
	r.Secrets = s.secretsUsed(ctx)
	r.Uses, r.MoreUses = s.uses.all()
	s.mu.Lock()
	r.Refused = slices.Clone(s.refusals)
	s.mu.Unlock()
	if s.agent == nil {
		return
	}
	counts := s.agent.Counts()
	for _, user := range slices.Sorted(maps.Keys(counts.Users)) {
		r.Signatures = append(r.Signatures, fmt.Sprintf("logins as %s: %d", user, counts.Users[user]))
	}
}

// rollbackCommand is the command that goes back to what ran before, on every host
// that runs something else now; "" where there is nothing to go back to. Where they
// ran several versions it is a command for each, and for each role.
func rollbackCommand(r ci.Report, configFile string) string {
	type target struct{ version, role string }
	var back []ci.HostReport
	several := false
	for _, h := range r.Hosts {
		if h.Before == "" || h.After == h.Before && !h.Unknown {
			continue
		}
		back = append(back, h)
		several = several || h.Before != back[0].Before
	}
	var targets []target
	hosts := map[target][]string{}
	for _, h := range back {
		t := target{version: h.Before}
		if several {
			t.role = h.Role
		}
		if !slices.Contains(targets, t) {
			targets = append(targets, t)
		}
		if !slices.Contains(hosts[t], h.Host) {
			hosts[t] = append(hosts[t], h.Host)
		}
	}
	var commands []string
	for _, t := range targets {
		command := "kamal-op rollback " + t.version
		if configFile != "" {
			command += " --config-file " + kamal.ShellWord(configFile)
		}
		if r.Destination != "" {
			command += " --destination " + kamal.ShellWord(r.Destination)
		}
		if several || r.Status != problem.Done {
			command += " --hosts " + kamal.ShellWord(strings.Join(hosts[t], ","))
		}
		if t.role != "" {
			command += " --roles " + kamal.ShellWord(t.role)
		}
		commands = append(commands, command)
	}
	return strings.Join(commands, "\n")
}

// runURL is the page of this run on GitHub, "" elsewhere.
func runURL(env map[string]string) string {
	if env["GITHUB_SERVER_URL"] == "" || env["GITHUB_REPOSITORY"] == "" || env["GITHUB_RUN_ID"] == "" {
		return ""
	}
	return env["GITHUB_SERVER_URL"] + "/" + env["GITHUB_REPOSITORY"] + "/actions/runs/" + env["GITHUB_RUN_ID"]
}
