package deploy

import (
	"slices"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// tailLines is how many lines of Kamal's output are looked at for why it failed.
const tailLines = 20

// A progress follows a running Kamal: its phases, its last lines of output.
type progress struct {
	system   ci.System
	phases   *ci.Phases
	tail     ci.Tail
	follower *kamal.Follower // nil where it is quiet
	project  kamal.ProjectOptions
	quiet    bool // any command of Kamal's: it has no phases, and its output is what it is

	failedPhase string   // the phase that failed, where a rollback followed it
	linesBefore []string // the last lines before that
}

// begin is called when Kamal begins a part of its work.
func (f *progress) begin(phase string) {
	switch {
	case phase == kamal.RollingBack && f.failedPhase == "":
		f.failedPhase, f.linesBefore = f.close(1), f.tail.Lines(tailLines)
	case f.failedPhase != "":
		return // it is part of the rollback
	}
	f.phases.Begin(phase, "")
}

// lastLines are Kamal's last words: of a rollback only how it ended, what came before
// it is why.
func (f *progress) lastLines() []string {
	if f.failedPhase == "" {
		return f.tail.Lines(tailLines)
	}
	last := f.tail.Lines(tailLines)
	for i := len(last) - 1; i > 0; i-- {
		if kamal.IsError(last[i]) {
			last = last[i:]
			break
		}
	}
	return append(slices.Clone(f.linesBefore), last...)
}

func newProgress(system ci.System) *progress {
	return &progress{system: system, phases: ci.NewPhases(system, nil), tail: ci.Tail{Keep: kamal.IsError}}
}

// end ends the phase under way. Where Kamal failed it reports why, as far as the last
// lines of output show it: the phase, the host, the likely cause and the remedy. It
// returns what it has reported. Problems of ours that stopped Kamal are reported by
// whoever has them. ran is what ran on the hosts before.
func (f *progress) end(status int, ours problem.List, ran []broker.HostVersions) problem.List {
	phase := f.close(status)
	if status == problem.Done {
		return nil
	}
	if len(ours) > 0 || status == problem.Interrupted || status == problem.Terminated || status == problem.TimedOut {
		return ours
	}
	failure := kamal.Diagnose(f.lastLines())
	if f.quiet && (failure.Class == "" || failure.Cause == "") {
		return nil // its own output says it
	}
	if before, known := versionKept(failure.Host, ran); known {
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

// versionKept is the version that a host ran before the app was booted and still runs, ""
// where it ran none. It is not known where the host's roles differ.
func versionKept(host string, ran []broker.HostVersions) (before string, known bool) {
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

// where says what Kamal is doing, for a sentence.
func (f *progress) where() string {
	if f != nil {
		if all := f.phases.All(); len(all) > 0 {
			return "in the phase " + all[len(all)-1].Title()
		}
	}
	return "while Kamal ran"
}

// close ends the phase under way, and gives the last one's title.
func (f *progress) close(status int) string {
	phase := ""
	if all := f.phases.All(); len(all) > 0 {
		phase = all[len(all)-1].Title()
	}
	switch {
	case f.failedPhase != "":
		f.phases.End() // of the rollback, whose own failure is reported by itself
		return f.failedPhase
	case status == problem.Done:
		f.phases.End()
	default:
		f.phases.Fail()
	}
	return phase
}
