package rehearsal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// proxyImage is what the tests need where they put a kamal-proxy in the way.
const proxyImage = "basecamp/kamal-proxy:v0.9.2"

// run rehearses and checks what holds of every rehearsal, however it ends: no
// value in any output, and nothing left behind.
func run(ctx context.Context, t *testing.T, d *deployer, change ...func(*rehearsal.Options)) (string, error) {
	t.Helper()
	before := state(t)
	var out bytes.Buffer
	opts := options(t, d, &out)
	for _, c := range change {
		c(&opts)
	}
	err := rehearsal.Run(ctx, opts)
	nothingNew(t, before)
	noValues(t, out.String()+d.log.String(), d.values)
	for _, p := range problem.Of(err) {
		noValues(t, p.Message+strings.Join(p.Details, "\n")+p.Hint, d.values)
	}
	if t.Failed() {
		t.Logf("%s\n%s", d.log.String(), out.String())
	}
	return out.String(), err
}

// newDeployer is for a rehearsal that has the machine to itself.
func newDeployer(t *testing.T) *deployer {
	t.Helper()
	d := &deployer{t: t, kamal: needsKamal(t)}
	alone(t)
	return d
}

func TestRun_RehearsesTheSample(t *testing.T) {
	d := newDeployer(t)
	out, err := run(t.Context(), t, d)
	if err != nil {
		t.Errorf("%v\n%s", err, d.log.String())
	}
	for _, want := range []string{
		"myapp.example.com answers / through kamal-proxy: 200",
		"byte for byte as in the vault: CHATKIT_PK, DATABASE_PASSWORD, MAILGUN_INGRESS_SIGNING_KEY, RAILS_MASTER_KEY",
		"all that the rehearsal made is removed",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q in\n%s", want, out)
		}
	}
	if len(d.values) < 5 {
		t.Errorf("only %d values were read", len(d.values))
	}
}

// What the app has is compared, not assumed: a value that changes on its way is
// found.
func TestRun_SeesAValueThatDidNotArrive(t *testing.T) {
	d := newDeployer(t)
	d.before = func(r rehearsal.DeployRequest) {
		appendTo(t, filepath.Join(r.Dir, ".kamal", "secrets"), "DATABASE_PASSWORD=another\n")
	}
	_, err := run(t.Context(), t, d)
	if problems := problem.Of(err); len(problems) != 1 || !strings.HasPrefix(problems[0].Message, "DATABASE_PASSWORD did not arrive") {
		t.Errorf("%v", err)
	}
}

func TestRun_RemovesAllAfterAFailure(t *testing.T) {
	d := newDeployer(t)
	d.before = func(r rehearsal.DeployRequest) { // an app that never gets healthy
		appendTo(t, filepath.Join(r.Dir, "Dockerfile"), `ENTRYPOINT ["/app", "-test.run=^$"]`+"\n")
		appendTo(t, filepath.Join(r.Dir, "config", "deploy.yml"), "deploy_timeout: 3\n")
	}
	_, err := run(t.Context(), t, d)
	if err == nil || problem.Status(err) != 1 || !strings.Contains(err.Error(), "kamal deploy ended with status 1") {
		t.Errorf("%v, status %d", err, problem.Status(err))
	}
	if !strings.Contains(d.log.String(), "unhealthy") && !strings.Contains(d.log.String(), "healthy within") {
		t.Errorf("it failed for another reason:\n%s", d.log.String())
	}
}

func TestRun_RemovesAllWhenCancelled(t *testing.T) {
	for what, reached := range map[string]func(string) bool{
		"at once":            func(string) bool { return true },
		"while it builds":    func(log string) bool { return strings.Contains(log, "buildx build") },
		"while proxy starts": func(log string) bool { return strings.Contains(log, "docker run --name kamal-proxy") },
		"while app starts":   func(log string) bool { return strings.Contains(log, "docker run --detach") },
	} {
		t.Run(what, func(t *testing.T) {
			d := newDeployer(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d.during = func() {
				testkit.WaitFor(t, what, func() bool { return reached(d.log.String()) })
				cancel()
			}
			_, err := run(ctx, t, d)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			time.Sleep(time.Second) // what the engine was still making would be there now
			if names := docker(t, "ps", "--all", "--quiet", "--filter", "label="+rehearsal.Label); names != "" {
				t.Errorf("containers came late: %s", names)
			}
		})
	}
}

// Ctrl-C before anything runs.
func TestRun_EndsWhereItWasCancelledBefore(t *testing.T) {
	d := newDeployer(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, t, d); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if d.request.Command != "" {
		t.Error("it deployed all the same")
	}
}

// A rehearsal that was killed is cleaned up after by the next one.
func TestRun_RemovesWhatAKilledOneLeft(t *testing.T) {
	needsKamal(t)
	alone(t)
	before := state(t)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	killed := exec.Command(executable, "-test.run=^TestRun_RehearsesTheSample$")
	killed.Env = append(os.Environ(), "GOMAXPROCS=1")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = killed.Process.Kill() })
	testkit.WaitFor(t, "its kamal-proxy", func() bool {
		return docker(t, "ps", "--quiet", "--filter", "label="+rehearsal.Label) != ""
	})
	// Beside a living one a second is refused.
	d := &deployer{t: t, kamal: needsKamal(t)}
	err = rehearsal.Run(t.Context(), options(t, d, io.Discard))
	if problems := problem.Of(err); len(problems) != 1 || !strings.Contains(problems[0].Message, "another rehearsal is running") {
		t.Errorf("%v", err)
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()

	d = &deployer{t: t, kamal: needsKamal(t)}
	out, err := run(t.Context(), t, d)
	if err != nil {
		t.Errorf("%v", err)
	}
	if !strings.Contains(out, "a rehearsal that was killed left things behind") {
		t.Errorf("%s", out)
	}
	nothingNew(t, before)
}

func TestRun_RefusesBesideAnotherProxy(t *testing.T) {
	needsKamal(t)
	for what, put := range map[string]struct{ create, remove []string }{
		"container kamal-proxy": {
			[]string{"create", "--name", "kamal-proxy", "--network", "none", proxyImage},
			[]string{"rm", "kamal-proxy"},
		},
		"volume kamal-proxy-config": {
			[]string{"volume", "create", "kamal-proxy-config"},
			[]string{"volume", "rm", "kamal-proxy-config"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := newDeployer(t)
			docker(t, put.create...)
			_, err := run(t.Context(), t, d)
			problems := problem.Of(err)
			if len(problems) != 1 || problems[0].Hint == "" || problem.Status(err) != problem.Found ||
				!strings.Contains(problems[0].Message, "no rehearsal's") {
				t.Errorf("%v", err)
			}
			if d.request.Command != "" {
				t.Error("it deployed all the same")
			}
			docker(t, put.remove...) // fails where it is gone
		})
	}
}

// Only a network that the rehearsal made is removed.
func TestRun_LeavesANetworkThatWasThere(t *testing.T) {
	d := newDeployer(t)
	docker(t, "network", "create", "kamal")
	if _, err := run(t.Context(), t, d); err != nil {
		t.Error(err)
	}
	docker(t, "network", "rm", "kamal") // fails where it is gone
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
