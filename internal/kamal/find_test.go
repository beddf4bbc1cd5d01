package kamal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// script makes an executable shell script below dir.
func script(t *testing.T, dir, name, body string) string {
	t.Helper()
	write(t, dir, name, "#!/bin/sh\n"+body)
	path := filepath.Join(dir, name)
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	env := []string{"PATH=" + bin + ":/usr/bin:/bin", "OP_SERVICE_ACCOUNT_TOKEN=x", "INPUT_TOKEN=x"}
	find := func(explicit string) (Binary, error) {
		return Find(context.Background(), FindOptions{Dir: dir, Explicit: explicit, Env: env})
	}

	_, err := find("")
	if p := problem.Of(err); len(p) != 1 || p[0].Hint == "" || p[0].Status != problem.Found {
		t.Errorf("no kamal at all: %v", p)
	}

	onPath := script(t, bin, "kamal", `[ -z "$OP_SERVICE_ACCOUNT_TOKEN$INPUT_TOKEN" ] && [ "$1" = version ] && echo 2.12.0`)
	b, err := find("")
	if err != nil || b.Path != onPath || b.Version != "2.12.0" || len(b.Notices) != 0 {
		t.Errorf("kamal on PATH: %+v, %v", b, err)
	}

	binstub := script(t, dir, "bin/kamal", "echo 'warning: x' ; echo 2.11.0")
	b, err = find("")
	if err != nil || b.Path != binstub || b.Version != "2.11.0" {
		t.Errorf("bin/kamal: %+v, %v", b, err)
	}

	script(t, dir, "bin/kamal", "echo 'from x (LoadError)' >&2; echo 'in y' >&2; exit 1")
	b, err = find("")
	if err != nil || b.Path != onPath || len(b.Notices) != 1 || !strings.Contains(b.Notices[0], "LoadError") {
		t.Errorf("bin/kamal without its gems: %+v, %v", b, err)
	}

	write(t, dir, "Gemfile.lock", "GEM\n  specs:\n    kamal (2.10.1)\n      thor (~> 1.3)\n")
	b, err = find("")
	if err != nil || len(b.Notices) != 2 || !strings.Contains(b.Notices[1], "2.10.1") {
		t.Errorf("Gemfile.lock: %+v, %v", b, err)
	}

	if b, err = find("bin/kamal"); err == nil || problem.Status(err) != problem.Usage {
		t.Errorf("--kamal of one that does not run: %+v, %v", b, err)
	}
	if b, err = find("nonesuch"); err == nil || problem.Status(err) != problem.Usage {
		t.Errorf("--kamal nonesuch: %+v, %v", b, err)
	}
	if b, err = find("kamal"); err != nil || b.Path != onPath {
		t.Errorf("--kamal kamal: %+v, %v", b, err)
	}

	if err := os.Remove(onPath); err != nil {
		t.Fatal(err)
	}
	_, err = find("")
	if p := problem.Of(err); len(p) != 1 || !strings.Contains(p[0].Message, "bin/kamal") || len(p[0].Details) != 1 {
		t.Errorf("only a binstub that does not run: %v", p)
	}
}

func TestFind_GivesUpOnASlowKamal(t *testing.T) {
	dir := t.TempDir()
	script(t, dir, "bin/kamal", "sleep 60 & sleep 60")
	env := []string{"PATH=/usr/bin:/bin"}
	start := time.Now()
	_, err := Find(context.Background(), FindOptions{Dir: dir, Env: env, Timeout: 100 * time.Millisecond})
	if err == nil || !strings.Contains(strings.Join(problem.Of(err)[0].Details, ""), "longer than 100ms") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 40*time.Second { // it sleeps for 60
		t.Errorf("it took %v", took)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Find(ctx, FindOptions{Dir: dir, Env: env}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestArgs(t *testing.T) {
	o := ArgOptions{
		Destination: "production", ConfigFile: "c.yml", Version: "v1", Hosts: []string{"a", "b*"}, Roles: []string{"web"},
		SkipPush: true, Extra: []string{"--verbose"},
	}
	want := []string{"deploy", "--destination=production", "--config-file=c.yml", "--version=v1", "--hosts=a,b*", "--roles=web", "--skip-push", "--verbose"}
	if diff := cmp.Diff(want, Args("deploy", o)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"rollback", "v1", "--destination=d"}, Args("rollback", ArgOptions{Version: "v1", Destination: "d"})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"setup"}, Args("setup", ArgOptions{})); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutCredentials(t *testing.T) {
	env := []string{"PATH=/bin", "OP_CONNECT_TOKEN=x", "OP_SESSION_abc=x", "INPUT_SSH-KEY=x", "KAMAL_OP_SECRETS=x", "KAMAL_REGISTRY_PASSWORD=y", "GITHUB_SHA=z"}
	if diff := cmp.Diff([]string{"PATH=/bin", "KAMAL_REGISTRY_PASSWORD=y", "GITHUB_SHA=z"}, WithoutCredentials(env)); diff != "" {
		t.Error(diff)
	}
	if len(env) != 7 || env[1] != "OP_CONNECT_TOKEN=x" {
		t.Error("the caller's environment was changed")
	}
}
