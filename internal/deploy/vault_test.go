package deploy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// askingJob is a deploy of a project whose Kamal is not started before the vault has
// answered, and the process that it is in; what it says goes to out.
func askingJob(t *testing.T, out io.Writer, vault Vault) (Process, Job) {
	t.Helper()
	dir, place := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"config/deploy.yml": "service: a\nimage: a/a\nservers: [203.0.113.10]\nregistry: {username: a, password: [P]}\nbuilder: {arch: amd64}\n",
		".kamal/secrets":    "P=$P\n",
		"bin/kamal":         "#!/bin/sh\necho 2.12.0\n",
	} {
		ok(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700))
	}
	self, err := os.Executable()
	ok(t, err)
	way := gate.New(gate.Options{Stdout: out})
	process := Process{
		Env: []string{"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + place, "HOME=" + place}, Gate: way, Stdout: way.Stdout(), Stderr: way.Stderr(),
		System: ci.Detect(nil, way, way.Stdout(), ci.Options{}), Executable: self,
	}
	return process, Job{
		Process: process, Vault: vault, Check: CheckOff, Args: []string{"deploy"}, Kamal: "bin/kamal",
		Project: kamal.ProjectOptions{Dir: dir},
	}
}

// What is waited for is told before it is waited for.
func TestJob_LogsItsRequestsFirst(t *testing.T) {
	for want, wanted := range map[string]Wanted{
		"":                                {},
		"asking 1Password for 1 secret\n": {Secrets: []onepassword.Declaration{{Name: "P"}}},
		"asking 1Password for 2 secrets, 1 whole item, 1 Environment, 1 SSH key\n": {
			Secrets: []onepassword.Declaration{{Name: "P"}, {Environment: "e"}, {Name: "Q"}, {}, {Name: "L", Variable: "LOADED"}}, Keys: []Value{{Ref: onepassword.Reference{Vault: "V", Item: "I"}}},
		},
	} {
		var out bytes.Buffer
		said := ""
		vault := Vault{Open: func() (onepassword.Backend, error) {
			said = out.String()
			return nil, errors.New("nobody is there")
		}}
		_, job := askingJob(t, &out, vault)
		job.Wanted = wanted
		if _, err := job.Run(t.Context()); err == nil || !strings.HasSuffix(said, want) || strings.Contains(strings.TrimSuffix(said, want), "asking") {
			t.Errorf("%v: %q is said, and not %q", err, said, want)
		}
	}
}

// What a vault needs long for is begun before it is asked, whoever asks.
func TestVault_IsPreparedBeforeItIsAsked(t *testing.T) {
	var order []string
	vault := Vault{
		Prepare: func() { order = append(order, "begun") },
		Open: func() (onepassword.Backend, error) {
			order = append(order, "asked")
			return nil, errors.New("nobody is there")
		},
	}
	process, job := askingJob(t, io.Discard, vault)
	for name, do := range map[string]func(context.Context) error{
		"a command": func(ctx context.Context) error {
			_, err := Command{Process: process, Vault: vault, Argv: []string{"true"}, Dir: job.Project.Dir}.Run(ctx)
			return err
		},
		"a job":    func(ctx context.Context) error { _, err := job.Run(ctx); return err },
		"a series": func(ctx context.Context) error { _, err := job.Open(ctx); return err },
		"a question": func(ctx context.Context) error {
			_, err := job.Ask(ctx, Call{Title: "asking", Args: []string{"config"}})
			return err
		},
		"a comparison": func(ctx context.Context) error { _, _, err := job.Verify(ctx, kamal.ArgOptions{}); return err },
		"who reads":    func(context.Context) error { _, err := vault.OpenPrepared(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			order = nil
			if err := do(t.Context()); err == nil || !slices.Equal(order, []string{"begun", "asked"}) {
				t.Errorf("%v: %q", err, order)
			}
		})
	}
}

// A vault that fails is told at once: the Kamal that loads meanwhile is not waited for,
// and is ended. What is wrong with Docker is told with it.
func TestJob_DoesNotWaitForKamalWhereTheVaultFails(t *testing.T) {
	vault := Vault{Open: func() (onepassword.Backend, error) { return nil, errors.New("nobody is there") }}
	_, job := askingJob(t, io.Discard, vault)
	job.Wanted = Wanted{Secrets: []onepassword.Declaration{{Name: "P"}}}
	job.Builds = true
	job.Env = append(job.Env, "DOCKER_HOST=unix://"+filepath.Join(t.TempDir(), "none"))
	loading := filepath.Join(job.Project.Dir, "bin", "loading")
	ok(t, os.WriteFile(loading, []byte("#!/bin/sh\nexec sleep 3600\n"), 0o700))
	began := time.Now()
	r, err := job.prepare(t.Context(), loading)
	if took := time.Since(began); took >= loadTimeout {
		t.Errorf("it took %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), "nobody is there") || !strings.Contains(err.Error(), "docker is not running") || strings.Contains(err.Error(), "loading") {
		t.Errorf("%v", err)
	}
	if r.early != nil {
		t.Error("the Kamal is still there")
	}
	ok(t, r.close())
}
