package deploy

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A rollback is a phase of its own, and why there was one is told from what came
// before it, not from what Kamal printed last.
func TestProgress_ExplainsARollback(t *testing.T) {
	const log = "Build and push app image...\nStart container with version v2 (or reboot if already running)...\n" +
		"  INFO [1] Running docker run on 192.0.2.1\napp: Connection refused\n" +
		"Rolling back to version v1 on 192.0.2.1...\nStart container with version v1 (or reboot if already running)...\n" +
		"  INFO [2] Running docker run on 192.0.2.1\n  INFO done\n  ERROR (SSHKit::Command::Failed): Exception while executing on host 192.0.2.2: docker exit status: 1\ndocker stdout: Nothing written\ndocker stderr: Error: target failed to become healthy within configured timeout (30s)\n"
	for _, size := range []int{1, 7, len(log)} {
		var out bytes.Buffer
		way := gate.New(gate.Options{Stdout: &out})
		system := ci.Detect(nil, way, way.Stdout(), ci.Options{})
		s := &resources{Process: Process{System: system, Gate: way}}
		f := newProgress(system)
		stream := s.kamalStream(way.Stdout(), f)
		for rest := log; rest != ""; {
			n := min(size, len(rest))
			if _, err := io.WriteString(stream, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
		told := f.end(1, nil, []broker.HostVersions{{Host: "192.0.2.2", Role: "web", Before: "v1", After: "v1"}})
		if len(told) != 1 || !strings.HasPrefix(told[0].Message, "kamal failed in the phase boot on 192.0.2.2: the new container did not become healthy; the old one (v1) still runs") {
			t.Errorf("told %v", told)
		}
		type phase struct {
			name   string
			failed bool
		}
		var phases []phase
		for _, p := range f.phases.All() {
			phases = append(phases, phase{p.Name, p.Failed})
		}
		want := []phase{{"build and push", false}, {"boot", true}, {"rollback", false}}
		if diff := cmp.Diff(want, phases, cmp.AllowUnexported(phase{})); diff != "" {
			t.Error(diff)
		}
		if got := f.follower.Version(); got != "v2" {
			t.Errorf("the version is %q", got)
		}
	}
}

func TestRollbackCommand_NamesVersionsHostsAndRoles(t *testing.T) {
	h := func(host, before, after string) ci.HostReport {
		return ci.HostReport{Host: host, Role: "web", Before: before, After: after}
	}
	for name, test := range map[string]struct {
		status int
		hosts  []ci.HostReport
		want   string
	}{
		"all of one version":  {0, []ci.HostReport{h("a", "v1", "v2"), h("b", "v1", "v2"), h("a", "v1", "v2")}, "kamal-op rollback v1 --destination staging"},
		"of two":              {0, []ci.HostReport{h("a", "v1", "v3"), h("b", "v2", "v3")}, "kamal-op rollback v1 --destination staging --hosts a --roles web\nkamal-op rollback v2 --destination staging --hosts b --roles web"},
		"two roles of a host": {0, []ci.HostReport{h("a", "v1", "v3"), {Host: "a", Role: "worker", Before: "v2", After: "v3"}}, "kamal-op rollback v1 --destination staging --hosts a --roles web\nkamal-op rollback v2 --destination staging --hosts a --roles worker"},
		"names that are words of a shell": {
			0,
			[]ci.HostReport{h("a;b", "v1", "v3"), {Host: "10.0.0.1", Role: "$(x)", Before: "v2", After: "v3"}},
			"kamal-op rollback v1 --destination staging --hosts 'a;b' --roles web\nkamal-op rollback v2 --destination staging --hosts 10.0.0.1 --roles '$(x)'",
		},
		"some":                  {problem.Partial, []ci.HostReport{h("a", "v1", "v2"), h("b", "v1", "v1")}, "kamal-op rollback v1 --destination staging --hosts a"},
		"one that is not known": {130, []ci.HostReport{{Host: "a", Before: "v1", Unknown: true}}, "kamal-op rollback v1 --destination staging --hosts a"},
		"the first deploy":      {0, []ci.HostReport{h("a", "", "v1")}, ""},
		"the same again":        {0, []ci.HostReport{h("a", "v1", "v1")}, ""},
		"nothing":               {1, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rollbackCommand(ci.Report{Status: test.status, Destination: "staging", Hosts: test.hosts}, ""); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	hosts := []ci.HostReport{h("a", "v1", "v2")}
	if got := rollbackCommand(ci.Report{Hosts: hosts}, "config/api.yml"); got != "kamal-op rollback v1 --config-file config/api.yml" {
		t.Errorf("of another configuration: %q", got)
	}
}

// Any other command of Kamal's is diagnosed as well, and its output is not
// touched; what an app said is no cause.
func TestProgress_AddsNothingToAQuietCommand(t *testing.T) {
	for _, test := range []struct{ said, told string }{
		{"  ERROR (Kamal::Cli::LockError): Deploy lock found. Run 'kamal lock help' for more information\n", "kamal failed: another deploy holds the lock, or a killed one has left it"},
		{"Build and push app image...\nroot@192.0.2.1: Permission denied (publickey).\n", ""},
		{"  ERROR (SSHKit::Command::Failed): Exception while executing on host 192.0.2.1: docker exit status: 1\ndocker stderr: Connection refused\n", ""},
	} {
		var out bytes.Buffer
		way := gate.New(gate.Options{Stdout: &out, Stderr: io.Discard})
		system := ci.Detect(nil, way, way.Stderr(), ci.Options{})
		s := &resources{Process: Process{System: system, Gate: way}}
		f := newProgress(system)
		f.quiet = true
		stream := s.kamalStream(way.Stdout(), f)
		_, _ = io.WriteString(stream, test.said)
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
		told := f.end(1, nil, nil)
		switch {
		case out.String() != test.said:
			t.Errorf("the output became %q", out.String())
		case test.told == "" && len(told) > 0, test.told != "" && (len(told) != 1 || told[0].Message != test.told || len(told[0].Details) > 0):
			t.Errorf("of %q is told %v", test.said, told)
		}
	}
}

// That the old version still runs is told where one ran.
func TestVersionKept_IsOfOneHost(t *testing.T) {
	ran := []broker.HostVersions{
		{Host: "a", Role: "web", Before: "v1", After: "v1"},
		{Host: "b", Role: "web"},
		{Host: "c", Role: "web", Before: "v1", Unknown: true},
		{Host: "d", Role: "web", Before: "v1", After: "v2"},
		{Host: "e", Role: "web", Before: "v1", After: "v1"},
		{Host: "e", Role: "job"},
	}
	for host, want := range map[string]struct {
		before string
		known  bool
	}{"a": {"v1", true}, "b": {"", true}, "c": {}, "d": {}, "e": {}, "f": {}} {
		if before, known := versionKept(host, ran); before != want.before || known != want.known {
			t.Errorf("%s: %q, %v", host, before, known)
		}
	}
}
