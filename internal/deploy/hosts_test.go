package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// Hosts are logged in to the way that Kamal goes: Net::SSH's first jump host is the
// last one before the target, and each is what ssh's configuration makes of its
// name. Where that has a way of its own, the command that Net::SSH starts is the
// way.
func TestTargetOf(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not installed (Debian: openssh-client)")
	}
	config := filepath.Join(t.TempDir(), "config")
	ok(t, os.WriteFile(config+".more", []byte("Match host middle\n  CertificateFile /cert.pub\n"), 0o600))
	ok(t, os.WriteFile(config, []byte(`Include `+config+`.more
Host alias
  HostName 192.0.2.9
  Port 2222
  User jumper
Host behind
  ProxyJump alias
Host *
  User somebody
`), 0o600))
	web := func(jump *hosts.Target, command string) hosts.Target {
		return hosts.Target{Host: "web", Port: 22, User: "app", Jump: jump, Command: command}
	}
	for name, test := range map[string]struct {
		jump, command string
		want          hosts.Target
	}{
		"plain":   {"", "", web(nil, "")},
		"command": {"", "nc %h %p # %r%%", web(nil, "nc web 22 # app%")},
		"jump":    {"root@bastion:2223", "ssh …", web(&hosts.Target{Host: "bastion", Port: 2223, User: "root"}, "")},
		"jump by its alias": {
			"alias", "ssh …", web(&hosts.Target{Host: "192.0.2.9", Port: 2222, User: "jumper"}, ""),
		},
		"jump by its alias, its user given": {
			"root@alias", "ssh …", web(&hosts.Target{Host: "192.0.2.9", Port: 2222, User: "root"}, ""),
		},
		"jump whose user ssh decides": {"bastion", "ssh …", web(&hosts.Target{Host: "bastion", Port: 22, User: "somebody"}, "")},
		"jump behind another":         {"root@behind", "ssh -l root -W %h:%p behind", web(nil, "ssh -l root -W web:22 behind")},
		"IPv6":                        {"root@[2001:db8::2]:2223", "ssh …", web(&hosts.Target{Host: "2001:db8::2", Port: 2223, User: "root"}, "")},
		"three": {"a@last,b@first,c@middle", "ssh …", web(&hosts.Target{
			Host: "last", User: "a", Port: 22, Jump: &hosts.Target{
				Host: "middle", User: "c", Port: 22, Certificates: []string{"/cert.pub"},
				Jump: &hosts.Target{Host: "first", User: "b", Port: 22},
			},
		}, "")},
	} {
		t.Run(name, func(t *testing.T) {
			asked := broker.Host{Host: "web", Port: 22, User: "app", Jump: test.jump, Command: test.command, Config: config}
			if d := cmp.Diff(test.want, targetOf(t.Context(), asked, os.Environ())); d != "" {
				t.Error(d)
			}
		})
	}
}

// What keeps Kamal from the run's key is told by the option that does it, before
// anything is logged in to.
func TestObstacles(t *testing.T) {
	s, _ := newAgent(t, Wanted{Users: []string{"root"}})
	pinned := &resources{Process: s.Process, keys: s.keys, users: s.users, pins: &hosts.Pins{}}
	real, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not installed (Debian: openssh-client)")
	}
	web := hosts.Target{Host: "web", User: "root"}
	for name, c := range map[string]struct {
		resources *resources
		asked     broker.Host
		target    hosts.Target
		says      []string
	}{
		"nothing":                      {s, broker.Host{Command: "ssh -W %h:%p hop"}, web, nil},
		"an ssh by its path":           {pinned, broker.Host{Command: "exec " + real + " -W %h:%p hop"}, web, []string{real + " by its path"}},
		"the same without host keys":   {s, broker.Host{Command: real + " -W %h:%p hop"}, web, nil},
		"no public keys":               {s, broker.Host{NoPublicKey: true}, web, []string{"PubkeyAuthentication"}},
		"only keys that are not there": {s, broker.Host{KeysOnly: true}, web, []string{"ssh.keys_only"}},
		"only keys of its own":         {s, broker.Host{KeysOnly: true, Keys: 1}, hosts.Target{Host: "web", User: "other"}, nil},
		"users that are not named": {
			s,
			broker.Host{},
			hosts.Target{Host: "web", User: "app", Jump: &hosts.Target{Host: "hop", User: "jumper"}},
			[]string{"--ssh-user app", "--ssh-user jumper"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hostCheck{resources: c.resources}
			got := h.obstacles(c.asked, c.target)
			if len(got) != len(c.says) {
				t.Fatalf("%v", got)
			}
			for i, p := range got {
				if !strings.Contains(p.Message+p.Hint, c.says[i]) {
					t.Errorf("%s\n%s", p.Message, p.Hint)
				}
			}
		})
	}
}

// ssh is told of every host of the run, for the agent: targets, hops by their names
// and by their aliases, the remote builder.
func TestHostNames(t *testing.T) {
	p := &kamal.Project{Config: &kamal.Config{Builder: kamal.Builder{Remote: kamal.Value{Text: "ssh://root@builder:2222", Known: true}}}}
	got := hostNames(
		[]hosts.Target{{Host: "web", Jump: &hosts.Target{Host: "192.0.2.1"}}, {Host: "db", Command: "ssh -W db:22 behind"}},
		[]broker.Host{{Jump: "alias"}, {Jump: "me@behind:22,other"}, {}}, p)
	if d := cmp.Diff([]string{"web", "192.0.2.1", "db", "alias", "other", "behind", "builder"}, got); d != "" {
		t.Error(d)
	}
}

// The name ssh is told of a run's hosts as soon as Kamal names them, and Kamal of
// the run's agent. Where Kamal has keys of its own the login is not tried with
// ours, and that is said once.
func TestCheckHosts_NamesTheAgent(t *testing.T) {
	s, told := newAgent(t, Wanted{})
	dir := t.TempDir()
	b, err := s.checkHosts(t.Context(), Job{CheckHosts: true, Process: Process{Executable: "/kamal-op"}}, dir, nil)
	ok(t, err)
	if b.Agent != s.agent.Socket() || b.KnownHosts != "" || !b.LogIn {
		t.Errorf("%+v", b)
	}
	if link, err := os.Readlink(filepath.Join(dir, "ssh")); err != nil || link != "/kamal-op" {
		t.Errorf("the name ssh leads to %q: %v", link, err)
	}
	for _, host := range []string{"192.0.2.1", "192.0.2.2"} {
		asked := []broker.Host{{Host: host, Port: 22, User: "root", KeysOnly: true, Keys: 1}}
		if problems := b.Check(t.Context(), asked, true); len(problems) > 0 {
			t.Error(problems)
		}
		text, err := os.ReadFile(filepath.Join(dir, "ssh.json"))
		ok(t, err)
		if !strings.Contains(string(text), `"`+host+`"`) {
			t.Errorf("ssh is not told of %s: %s", host, text)
		}
	}
	if n := strings.Count(told.String(), "ssh.keys_only"); n < 1 || strings.Count(told.String(), "the login is not checked") != 1 {
		t.Errorf("told: %s", told)
	}
	if problems := b.Check(t.Context(), []broker.Host{{Host: "192.0.2.3", Port: 22, User: "root", NoPublicKey: true}}, true); len(problems) != 1 {
		t.Errorf("%v", problems)
	}
}
