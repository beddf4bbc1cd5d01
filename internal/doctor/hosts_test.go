package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/sshagent"
)

// usable is a docker that the user may use.
const usable = `[ "$1" = version ] && echo 28.4.0 || echo /`

// roomy, on is a df, a date and a uname of a host where all is well.
func scripts(change map[string]string) map[string]string {
	all := map[string]string{
		"docker": usable, "uname": "echo x86_64",
		"df": `echo "Filesystem 1024-blocks Used Available Capacity Mounted on"; echo "/dev/vda1 99999999 1 33554432 1% /"`,
	}
	for name, text := range change {
		if text == "" {
			delete(all, name)
			continue
		}
		all[name] = text
	}
	return all
}

// A scene is a host and what is looked at there.
type scene struct {
	host   *standin.SSHHost
	target hosts.Target
	look   HostLook
	key    *sshagent.Key
}

func newScene(t *testing.T, change map[string]string) *scene {
	t.Helper()
	s := &scene{key: makeKey(t)}
	var err error
	s.host, err = standin.StartSSHHost(t.Context(), standin.SSHHostOptions{
		AuthorizedKey: s.key.Public(), User: "deploy", Dir: t.TempDir(), Env: []string{"PATH=" + programs(t, scripts(change))},
	})
	must(t, err)
	t.Cleanup(func() { must(t, s.host.Close()) })
	s.target = hosts.Target{Host: "127.0.0.1", Port: s.host.Port(), User: "deploy"}
	s.look = HostLook{
		Servers:  answers(Servers{Targets: []hosts.Target{s.target}}, nil),
		Login:    answers(Login{Keys: []*sshagent.Key{s.key}}, nil),
		Observed: answers(Observed{Architectures: []string{"amd64"}}, nil),
	}
	return s
}

// pins are host keys as a team gives them.
func (s *scene) pins(t *testing.T, key ssh.PublicKey) *hosts.Pins {
	t.Helper()
	pins, err := hosts.ParsePins("[127.0.0.1]:"+strings.TrimPrefix(s.host.Address(), "127.0.0.1:")+" "+string(ssh.MarshalAuthorizedKey(key)), "a test")
	must(t, err)
	return pins
}

// Each thing that a host is asked for, well and not.
func TestCheckHosts_WhatIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string
		want   []string // of what is not well
	}{
		"all is well":        {nil, nil},
		"no docker":          {map[string]string{"docker": ""}, []string{"problem docker is not installed"}},
		"a user who may not": {map[string]string{"docker": `echo "permission denied while trying to connect" >&2; exit 1`}, []string{"problem the user may not use docker"}},
		"docker is down":     {map[string]string{"docker": `printf 'Cannot connect\nto it\n' >&2; exit 1`}, []string{"problem docker does not answer"}},
		"a full disk":        {map[string]string{"df": `echo a; echo "x 9 9 200000 9% /"`}, []string{"problem only 0.2 GiB free where docker keeps images"}},
		"little room":        {map[string]string{"df": `echo a; echo "x 9 9 1048576 9% /"`}, []string{"notice only 1.0 GiB free where docker keeps images"}},
		"no df":              {map[string]string{"df": "exit 1"}, []string{"unknown how much room its disk has: the host does not say"}},
		"another machine":    {map[string]string{"uname": "echo aarch64"}, []string{"problem it is arm64, and images are built for amd64"}},
		"no uname":           {map[string]string{"uname": "exit 1"}, []string{"unknown its architecture: the host does not say"}},
		"a clock behind":     {map[string]string{"date": "echo 1000000000"}, []string{"behind this machine's"}},
		"a clock ahead":      {map[string]string{"date": "echo 9000000000"}, []string{"ahead of this machine's"}},
		"no clock":           {map[string]string{"date": "exit 1"}, []string{"unknown what its clock says: the host does not say"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, c.change)
			var told []string
			for _, line := range looked(t, CheckHosts(s.look)) {
				line = strings.Replace(line, s.target.String()+": ", "", 1)
				if !strings.HasPrefix(line, "well ") && !strings.HasPrefix(line, "notice no host keys are given") {
					told = append(told, line)
				}
			}
			if len(told) != len(c.want) {
				t.Fatalf("%q, not %q", told, c.want)
			}
			for i := range told {
				if !strings.Contains(told[i], c.want[i]) {
					t.Errorf("%q, not %q", told, c.want)
				}
			}
			if s.host.Logins() != 1 {
				t.Errorf("%d logins", s.host.Logins())
			}
		})
	}
}

// What is well is said of each thing, as it was seen; a real df and a real date say it
// on this machine.
func TestCheckHosts_SaysWhatWasSeen(t *testing.T) {
	s := newScene(t, nil)
	got := looked(t, CheckHosts(s.look))
	for _, text := range []string{"logs in with " + s.key.Fingerprint(), "docker 28.4.0", "32.0 GiB free", "the same time", "amd64"} {
		if !holds(got, "well "+s.target.String()+": "+text) {
			t.Errorf("nothing of %q in %q", text, got)
		}
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+usable+"\n"), 0o700))
	host, err := standin.StartSSHHost(t.Context(), standin.SSHHostOptions{AuthorizedKey: s.key.Public(), Dir: t.TempDir(), Env: []string{"PATH=" + dir + ":/usr/bin:/bin"}})
	must(t, err)
	t.Cleanup(func() { must(t, host.Close()) })
	s.look.Servers = answers(Servers{Targets: []hosts.Target{{Host: "127.0.0.1", Port: host.Port()}}}, nil)
	got = looked(t, CheckHosts(s.look))
	if !holds(got, "GiB free") || !holds(got, "the same time") || holds(got, "does not say") {
		t.Errorf("%q", got)
	}
}

func TestCheckHosts_HostKeys(t *testing.T) {
	s := newScene(t, nil)
	at := func(l Login) []string {
		l.Keys = []*sshagent.Key{s.key}
		s.look.Login = answers(l, nil)
		return looked(t, CheckHosts(s.look))
	}
	if got := at(Login{}); !holds(got, "notice no host keys are given") {
		t.Errorf("%q", got)
	}
	if got := at(Login{Pins: s.pins(t, s.host.HostKey())}); !holds(got, "well 1 of 1 hosts show a key of --host-keys") {
		t.Errorf("%q", got)
	}
	got := at(Login{Pins: s.pins(t, makeKey(t).Public())})
	if !holds(got, "has another host key than the one given") || holds(got, "well ") {
		t.Errorf("%q", got)
	}
	other, err := hosts.ParsePins("elsewhere "+string(ssh.MarshalAuthorizedKey(s.host.HostKey())), "a test")
	must(t, err)
	if got := at(Login{Pins: other}); !holds(got, "has no line in --host-keys") || holds(got, "well ") {
		t.Errorf("%q", got)
	}
}

// What was not seen is said, and why.
func TestCheckHosts_WhatCannotBeLookedAt(t *testing.T) {
	s := newScene(t, nil)
	whole := s.look
	unread := error(problem.New("no such item", "look"))
	pins := s.pins(t, s.host.HostKey())
	for name, c := range map[string]struct {
		change func(*HostLook)
		want   []string
	}{
		"no file":       {func(l *HostLook) { l.Servers = answers(Servers{}, unread) }, []string{"problem no such item"}},
		"no hosts":      {func(l *HostLook) { l.Servers = answers(Servers{Partly: true}, nil) }, []string{"unknown some hosts of deploy.yml", "unknown the hosts: deploy.yml has none that is known here"}},
		"no key":        {func(l *HostLook) { l.Login = answers(Login{}, nil) }, []string{"unknown the login to the hosts", "notice no host keys are given"}},
		"a key unread":  {func(l *HostLook) { l.Login = answers(Login{}, unread) }, []string{"unknown the login to the hosts", "notice no host keys are given"}},
		"keys unread":   {func(l *HostLook) { l.Login = answers(Login{Pins: pins, PinsUnread: true}, unread) }, []string{"unknown the login to the hosts", "unknown whether the hosts show the host keys that are given"}},
		"Kamal's own":   {func(l *HostLook) { l.Servers = answers(Servers{Targets: []hosts.Target{s.target}, OwnKeys: true}, nil) }, []string{"unknown the login to the hosts", "notice no host keys"}},
		"Kamal is mute": {func(l *HostLook) { l.Observed = answers(Observed{}, errors.New("no answer")) }, []string{"unknown " + s.target.String() + ": whether images are built for x86_64"}},
		"no key of ours may be tried": {func(l *HostLook) {
			barred := s.target
			barred.NoPublicKey = true
			l.Servers = answers(Servers{Targets: []hosts.Target{barred}, OwnKeys: true}, nil)
		}, []string{"problem the ssh configuration does not let Kamal log in to 127.0.0.1 with a key"}},
		"a key of others": {func(l *HostLook) { l.Login = answers(Login{Keys: []*sshagent.Key{makeKey(t)}}, nil) }, []string{"problem " + s.target.String() + " does not take the key"}},
	} {
		look := whole
		c.change(&look)
		got := looked(t, CheckHosts(look))
		for _, want := range c.want {
			if !holds(got, want) {
				t.Errorf("%s: no %q in %q", name, want, got)
			}
		}
		if name != "Kamal is mute" && holds(got, "well ") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Without what to log in with, the hosts' keys are held against those that are given. A
// host that is reached through another is not, and the other is not logged in to.
func TestCheckHosts_KeysWithoutALogin(t *testing.T) {
	s := newScene(t, nil)
	behind := hosts.Target{Host: "behind.invalid", Jump: &s.target}
	s.look.Servers = answers(Servers{Targets: []hosts.Target{s.target, behind}}, nil)
	unread := error(problem.New("no credentials", "give them"))
	for name, c := range map[string]struct {
		login Login
		err   error
		want  string
	}{
		"no key":      {Login{}, nil, "notice no host keys are given"},
		"unread":      {Login{}, unread, "notice no host keys are given"},
		"another key": {Login{Pins: s.pins(t, makeKey(t).Public())}, unread, "has another host key than the one given"},
		"one missing": {Login{Pins: s.pins(t, s.host.HostKey())}, unread, "behind.invalid has no line in --host-keys"},
	} {
		s.look.Login = answers(c.login, c.err)
		got := looked(t, CheckHosts(s.look))
		if !holds(got, c.want) || !holds(got, "unknown the login to the hosts") || holds(got, "does not take") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if s.host.Logins() != 0 {
		t.Errorf("%d logins", s.host.Logins())
	}
}

// A Kamal that hangs takes nothing from what the hosts have said.
func TestCheckHosts_KamalHangs(t *testing.T) {
	s := newScene(t, map[string]string{"docker": ""})
	s.look.Wait = time.Nanosecond
	s.look.Observed = func(ctx context.Context) (Observed, error) {
		<-ctx.Done()
		return Observed{}, ctx.Err()
	}
	c := CheckHosts(s.look)
	c.Limit = 30 * time.Second
	got := looked(t, c)
	for _, want := range []string{"problem " + s.target.String() + ": docker is not installed", "unknown " + s.target.String() + ": whether images are built for x86_64"} {
		if !holds(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if holds(got, "it took longer") {
		t.Errorf("%q", got)
	}
}

// A host that does not answer keeps nobody waiting once the run is cancelled.
func TestCheckHosts_EndsWithTheRun(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // says nothing
	must(t, err)
	defer func() { _ = listener.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := listener.Accept()
		cancel()
		if err == nil {
			defer func() { _ = conn.Close() }()
			_, _ = conn.Read(make([]byte, 1))
			_, _ = conn.Read(make([]byte, 1<<10))
		}
	}()
	look := HostLook{
		Servers: answers(Servers{Targets: []hosts.Target{{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port}}}, nil),
		Login:   answers(Login{Keys: []*sshagent.Key{makeKey(t)}}, nil),
	}
	if found := CheckHosts(look).look(ctx); len(found) == 0 || found[0].State == Well {
		t.Errorf("%+v", found)
	}
}

// A host that is only gone through needs no Docker.
func TestHost_OnTheWay(t *testing.T) {
	r := hosts.Result{Target: hosts.Target{Host: "jump"}, Key: "SHA256:x", Answer: "arch x86_64\nabsent\n"}
	if found := (HostLook{}).host(t.Context(), r, false); len(found) != 1 || found[0].Check != "login" || found[0].State != Well {
		t.Errorf("%+v", found)
	}
}
