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

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/gate"
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
	follower *kamal.Follower // nil where it is quiet
	project  kamal.ProjectOptions
	quiet    bool // any command of Kamal's: it has no phases, and its output is what it is

	failed string   // the phase that failed, where a rollback followed it
	before []string // the last words before that
}

// begin is told that Kamal begins a part of its work.
func (f *follow) begin(phase string) {
	switch {
	case phase == kamal.RollingBack && f.failed == "":
		f.failed, f.before = f.close(1), f.tail.Lines(lastWords)
	case f.failed != "":
		return // it is part of the rollback
	}
	f.phases.Begin(phase, "")
}

// words are Kamal's last words: of a rollback only how it ended, what came before
// it is why.
func (f *follow) words() []string {
	if f.failed == "" {
		return f.tail.Lines(lastWords)
	}
	last := f.tail.Lines(lastWords)
	for i := len(last) - 1; i > 0; i-- {
		if kamal.IsError(last[i]) {
			last = last[i:]
			break
		}
	}
	return append(slices.Clone(f.before), last...)
}

func newFollow(system ci.System) *follow {
	return &follow{system: system, phases: ci.NewPhases(system, nil), tail: ci.Tail{Keep: kamal.IsError}}
}

// end ends the phase under way and, where Kamal failed, tells why as far as its
// last words say: which phase, which host, the likely cause and the remedy. What
// is told is given back. Problems of ours that stopped Kamal are told by whoever
// has them. ran is what ran on the hosts before.
func (f *follow) end(status int, ours problem.List, ran []broker.HostVersions) problem.List {
	phase := f.close(status)
	if status == problem.Done {
		return nil
	}
	if len(ours) > 0 || status == problem.Interrupted || status == problem.Terminated || status == problem.TimedOut {
		return ours
	}
	failure := kamal.Diagnose(f.words())
	if f.quiet && (failure.Class == "" || failure.Cause == "") {
		return nil // its own words stand above
	}
	if before, known := stays(failure.Host, ran); known {
		failure.Ran(before)
	}
	explained, known := kamal.ExplainConfig(f.project, failure.Message)
	if known {
		failure.Cause, failure.Hint = explained.Message(), explained.Hint()
	}
	p := failure.Problem(phase, status)
	if known {
		p.Help = problem.UnreadableFile
	}
	p.Place = explained.Place
	if f.quiet {
		p.Details = nil
	}
	f.system.Error(p)
	return problem.List{p}
}

// stays is the version that a host ran before a boot of the app and runs still, ""
// where it ran none. It is not known where its roles differ.
func stays(host string, ran []broker.HostVersions) (before string, known bool) {
	for _, h := range ran {
		if h.Host != host || h.Unknown || h.After != h.Before {
			continue
		}
		if known && h.Before != before {
			return "", false
		}
		before, known = h.Before, true
	}
	return before, known
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
	switch {
	case f.failed != "":
		f.phases.End() // of the rollback, whose own failure is told apart
		return f.failed
	case status == problem.Done:
		f.phases.End()
	default:
		f.phases.Fail()
	}
	return phase
}

// report shows the run as a page beside the log, and gives later steps its
// outputs, where the system has such. No value stands in any of it.
func (s *ready) report(ctx context.Context, f *follow, name string, status int, told problem.List, took time.Duration) {
	j, project := s.job, s.project
	r := ci.Report{
		Command: name, Service: project.Config.Service.Or(""), Destination: j.Project.Destination,
		Version: f.follower.Version(), URL: project.Config.Proxy.URL(), RunURL: runURL(environ.List(j.Env).Map()), Status: status, Took: took,
		Phases: withBoots(f.phases.All(), s.broker.BootTimes(), time.Now()), Problems: told,
	}
	if status != problem.Done {
		r.LastWords = kamal.Diagnose(f.words()).Words
	}
	s.tell(ctx, &r)
	r.Rollback = rollbackCommand(r)
	var hosts []string
	for _, host := range project.Config.Hosts {
		hosts = append(hosts, host.Name)
	}
	phases, err := json.Marshal(r.Phases)
	shown := gate.Cleaned(j.Gate, r)
	ci.Close(j.System, shown)
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

// tell puts what a run knows into a report, whichever commands of Kamal's it has run:
// hosts, secrets by their names, signatures, the deploy lock.
func (s *ready) tell(ctx context.Context, r *ci.Report) {
	r.Lock = s.locks.told()
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
func rollbackCommand(r ci.Report) string {
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
