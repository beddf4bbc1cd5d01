package hosts

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/hosts/sshname"
	"github.com/kamal-op/kamal-op/sshagent"
)

// A scene is a server, an agent that may log in to it, and the names of two runs:
// one that was given the server's key, and one that was given another.
type scene struct {
	*server
	dir   string
	right []string // the environments of the two
	wrong []string
	line  string // of known_hosts: what the server really has
}

func (s *scene) port() string { return strconv.Itoa(s.server.port) }

func makeScene(t *testing.T, address string, more ...string) *scene {
	t.Helper()
	key := makeKey(t)
	s := &scene{dir: t.TempDir()}
	s.server = startServer(t, address, ed, []*sshagent.Key{key}, append(more, "Subsystem sftp internal-sftp")...)
	a := startAgent(t, key)
	_, stranger := hostKey(t, "ed25519")
	s.line = fmt.Sprintf("[%s]:%d %s", address, s.server.port, keyLine(s.keys["ed25519"]))
	env := func(key ssh.PublicKey) []string {
		// The server's key is that of another host as well.
		file := append(pinned(t, s.server, key, address), []byte("other.test "+keyLine(s.keys["ed25519"])+"\n")...)
		return []string{"PATH=" + installSSH(t, file), "HOME=" + s.dir, "SSH_AUTH_SOCK=" + a.Socket()}
	}
	s.right, s.wrong = env(s.keys["ed25519"]), env(stranger)
	return s
}

// write makes a file in the scene's directory.
func (s *scene) write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	check(t, os.WriteFile(path, []byte(text), mode))
	return path
}

// refusedOnly says that a client got to the server of the right run alone.
func (s *scene) refusedOnly(t *testing.T, args []string, extra ...string) {
	t.Helper()
	for _, c := range []struct {
		env []string
		ok  bool
	}{{s.right, true}, {s.wrong, false}} {
		out, err := run(t, append(c.env[:len(c.env):len(c.env)], extra...), args...)
		if (err == nil) != c.ok || !c.ok && !strings.Contains(out, "Host key verification failed") {
			t.Errorf("%q, the key is right: %v: %v: %s", args, c.ok, err, out)
		}
	}
}

// Whatever the user's ssh_config says, a server with another key is refused.
func TestSSH_TakesThePinnedKeyWhateverTheUserConfigures(t *testing.T) {
	s := makeScene(t, "127.0.0.2")
	theirs := s.write(t, "theirs", s.line+"\n", 0o600)
	command := s.write(t, "command", "#!/bin/sh\necho '"+s.line+"'\n", 0o700)
	// A connection of the user's own, to the same server, unchecked.
	shared := filepath.Join(s.dir, "shared")
	out, err := run(t, s.wrong, realSSH(t), "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-f", "-N", "-M", "-S", shared, "-E", filepath.Join(s.dir, "master.log"), "-p", s.port(), "127.0.0.2")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _, _ = run(t, nil, realSSH(t), "-F", "none", "-S", shared, "-O", "exit", "127.0.0.2") })

	for name, lines := range map[string]string{
		"nothing":           "",
		"KnownHostsCommand": "KnownHostsCommand " + command,
		"known_hosts":       "StrictHostKeyChecking no\nUserKnownHostsFile " + theirs + "\nGlobalKnownHostsFile " + theirs,
		"ControlPath":       "ControlPath " + shared,
		"ControlMaster":     "ControlMaster auto\nControlPersist 1\nControlPath " + shared,
		"HostKeyAlias":      "HostKeyAlias other.test",
		"VerifyHostKeyDNS":  "VerifyHostKeyDNS yes\nUpdateHostKeys yes\nCheckHostIP yes\nCanonicalizeHostname always",
	} {
		t.Run(name, func(t *testing.T) {
			file := s.write(t, "config-"+name, lines+"\n", 0o600)
			s.refusedOnly(t, []string{"ssh", "-F", file, "-p", s.port(), "127.0.0.2", "true"})
		})
	}
	t.Run("-S", func(t *testing.T) {
		s.refusedOnly(t, []string{"ssh", "-S", shared, "-p", s.port(), "127.0.0.2", "true"})
		s.refusedOnly(t, []string{"ssh", "-TxS" + shared, "-p", s.port(), "127.0.0.2", "-o", "ControlPath=" + shared, "true"})
	})
}

// ssh is asked what it would do, and reads the configuration again for what it does.
// One that says something else then, by its arguments or by what happened before,
// weakens nothing.
func TestSSH_KeepsToTheSettingsItReported(t *testing.T) {
	s := makeScene(t, "127.0.0.2")
	theirs := s.write(t, "theirs", s.line+"\n", 0o600)
	// False for ssh -G, and true behind it.
	seen := filepath.Join(s.dir, "seen")
	for when, exec := range map[string]string{
		"not for -G":   `! tr '\0' ' ' < /proc/$PPID/cmdline | grep -q -e ' -G'`,
		"not at first": "sh -c 'test -e " + seen + " || { touch " + seen + "; false; }'",
	} {
		for name, lines := range map[string]string{
			"KnownHostsCommand": "KnownHostsCommand /bin/cat " + theirs,
			"HostKeyAlias":      "HostKeyAlias other.test",
			// A way that leads nowhere shows that it is not taken.
			"ProxyCommand": "ProxyCommand exec false",
			"ProxyJump":    "ProxyJump 127.0.0.9:1",
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				config := s.write(t, "match-"+name, "Match exec \""+exec+"\"\n"+lines+"\n", 0o600)
				for _, c := range []struct {
					env []string
					ok  bool
				}{{s.right, true}, {s.wrong, false}} {
					for _, jump := range [][]string{nil, {"-J", "none"}} {
						_ = os.Remove(seen) // the run before may have ended early
						args := append(append([]string{"ssh", "-F", config}, jump...), "-p", s.port(), "127.0.0.2", "true")
						out, err := run(t, c.env, args...)
						if (err == nil) != c.ok || !c.ok && !strings.Contains(out, "Host key verification failed") {
							t.Errorf("%q, the key is right: %v: %v: %s", jump, c.ok, err, out)
						}
					}
				}
			})
		}
	}
}

func realSSH(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not installed (Debian: openssh-client)")
	}
	return path
}

// What forwards a port to this machine may be any server.
func TestSSH_ChecksLocalhost(t *testing.T) {
	s := makeScene(t, "127.0.0.1")
	file := s.write(t, "config", "NoHostAuthenticationForLocalhost yes\n", 0o600)
	s.refusedOnly(t, []string{"ssh", "-F", file, "-p", s.port(), "127.0.0.1", "true"})
}

// A certificate's authority is no host key that was given; the plain key of a
// server that has a certificate is.
func TestSSH_TakesNoAuthority(t *testing.T) {
	authority, public := hostKey(t, "ed25519")
	signer, err := ssh.NewSignerFromKey(authority)
	check(t, err)
	file := filepath.Join(t.TempDir(), "certificate")
	check(t, os.WriteFile(file, nil, 0o644))
	s := makeScene(t, "127.0.0.2", "HostCertificate "+file)
	certificate := &ssh.Certificate{
		Key: s.keys["ed25519"], CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.2"}, ValidBefore: ssh.CertTimeInfinity,
	}
	check(t, certificate.SignCert(rand.Reader, signer))
	check(t, os.WriteFile(file, ssh.MarshalAuthorizedKey(certificate), 0o644)) // sshd reads it anew for each connection
	theirs := s.write(t, "theirs", "@cert-authority * "+keyLine(public)+"\n", 0o600)
	config := s.write(t, "config", "UserKnownHostsFile "+theirs+"\nGlobalKnownHostsFile "+theirs+"\n", 0o600)
	if out, err := run(t, s.wrong, realSSH(t), "-F", config, "-o", "StrictHostKeyChecking=yes", "-p", s.port(), "127.0.0.2", "true"); err != nil {
		t.Fatalf("the certificate does not count in ssh itself: %v: %s", err, out)
	}
	s.refusedOnly(t, []string{"ssh", "-F", config, "-p", s.port(), "127.0.0.2", "true"})
}

// A connection that a hook shares is one that was checked, and can be ended.
func TestSSH_SharesWhatItHasChecked(t *testing.T) {
	s := makeScene(t, "127.0.0.2")
	shared := filepath.Join(s.dir, "a path that is far too long for a socket of the system", strings.Repeat("x", 60))
	for _, args := range [][]string{
		{"-f", "-N", "-M", "-S", shared, "-E", filepath.Join(s.dir, "log"), "-p", s.port(), "127.0.0.2"},
		{"-S", shared, "-p", s.port(), "-O", "check", "127.0.0.2"},
		{"-S", shared, "-p", s.port(), "-O", "exit", "127.0.0.2"},
	} {
		if out, err := run(t, s.right, append([]string{"ssh"}, args...)...); err != nil {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}

// A hop that would not be held to the host keys is named.
func TestSSH_RefusesAnSSHByItsPath(t *testing.T) {
	s := makeScene(t, "127.0.0.2")
	file := s.write(t, "config", "ProxyCommand "+realSSH(t)+" -o StrictHostKeyChecking=no -W %h:%p -p "+s.port()+" 127.0.0.2\n", 0o600)
	out, err := run(t, s.right, "ssh", "-F", file, "-p", s.port(), "127.0.0.2", "true")
	if err == nil || !strings.Contains(out, "the ProxyCommand of 127.0.0.2 starts "+realSSH(t)) {
		t.Errorf("%v: %s", err, out)
	}
	file = s.write(t, "by-name", "ProxyCommand ssh -F none -W %h:%p -p "+s.port()+" 127.0.0.2\n", 0o600)
	s.refusedOnly(t, []string{"ssh", "-F", file, "-p", s.port(), "127.0.0.2", "true"})
}

// scp and sftp start the ssh that they were built with; git and rsync the one
// that they are told of. The arguments that these are given stay: a deploy key by
// -i logs in without an agent.
func TestOthers_TakeThePinnedKeyOnly(t *testing.T) {
	s := makeScene(t, "127.0.0.2")
	file := s.write(t, "file", "text", 0o600)
	theirs := s.write(t, "theirs", s.line+"\n", 0o600)
	loose := "-o StrictHostKeyChecking=no -o UserKnownHostsFile=" + theirs
	from := "127.0.0.2:" + file
	to := filepath.Join(s.dir, "copy")
	for name, args := range map[string][]string{
		"scp":              {"scp", "-P", s.port(), from, to},
		"scp, an ssh told": {"scp", "-P", s.port(), "-S", realSSH(t), from, to},
		"scp, loose":       {"scp", "-o", "StrictHostKeyChecking=no", "-oUserKnownHostsFile=" + theirs, "-P", s.port(), from, to},
		"sftp":             {"sftp", "-P", s.port(), from, to},
		"sftp, loose":      {"sftp", "-oStrictHostKeyChecking=no", "-P", s.port(), "-S" + realSSH(t), from, to},
	} {
		t.Run(name, func(t *testing.T) { s.refusedOnly(t, args) })
	}
	t.Run("git", func(t *testing.T) { s.git(t, loose) })
	t.Run("rsync", func(t *testing.T) {
		if _, err := exec.LookPath("rsync"); err != nil {
			t.Skip("rsync is not installed")
		}
		told := realSSH(t) + " " + loose + " -p " + s.port()
		s.refusedOnly(t, []string{"rsync", "-ae", told, from, to})
		s.refusedOnly(t, []string{"rsync", "-a", "--rsh=" + told, from, to})
		s.refusedOnly(t, []string{"rsync", "-a", from, to}, "RSYNC_RSH="+told)
		s.refusedOnly(t, []string{"rsync", "-ae", "ssh -p " + s.port(), from, to})
	})
}

func (s *scene) git(t *testing.T, loose string) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	repository := filepath.Join(s.dir, "repository")
	if out, err := run(t, s.right, "git", "init", "--quiet", repository); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	address := "ssh://127.0.0.2:" + s.port() + repository
	// As actions/checkout writes it, for a key of its own.
	deployKey := s.write(t, "deploy-key", string(pemOf(t, s.authorize(t))), 0o600)
	told := fmt.Sprintf("%q -i %q %s", realSSH(t), deployKey, loose)
	ask := []string{"git", "-C", repository, "ls-remote", address}
	noAgent := "SSH_AUTH_SOCK="
	s.refusedOnly(t, ask)
	s.refusedOnly(t, ask, "GIT_SSH="+realSSH(t))
	s.refusedOnly(t, ask, "GIT_SSH_COMMAND="+told, noAgent)
	s.refusedOnly(t, []string{"git", "-C", repository, "-c", "core.sshCommand=" + told, "ls-remote", address}, noAgent)
	clone := filepath.Join(s.dir, "clone")
	s.refusedOnly(t, []string{"sh", "-c", `rm -rf "$0" && exec git clone -q -c core.sshCommand="$1" "$2" "$0"`, clone, told, address}, noAgent)
	if out, err := run(t, s.right, "git", "-C", repository, "config", "core.sshCommand", told); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.refusedOnly(t, ask, noAgent)
	s.refusedOnly(t, []string{"sh", "-c", "cd " + repository + " && exec git ls-remote " + address}, noAgent)
	s.gitLater(t, repository, address, realSSH(t)+" "+loose)
	s.gitInAShell(t, repository, address, loose)
}

// A configuration that is not there yet, or is another repository's, names an ssh in
// vain.
func (s *scene) gitLater(t *testing.T, repository, address, told string) {
	work, template := filepath.Join(s.dir, "work"), filepath.Join(s.dir, "template")
	check(t, os.MkdirAll(work, 0o700))
	check(t, os.MkdirAll(template, 0o700))
	setting := "[core]\n\tsshCommand = " + told + "\n"
	s.write(t, "template/config", setting, 0o600)
	s.write(t, ".gitconfig", fmt.Sprintf("[includeIf \"gitdir:%s/\"]\n\tpath = %s\n[protocol]\n\tallow = always\n",
		work, s.write(t, "included", setting, 0o600)), 0o600)
	fresh := `rm -rf "$0" && exec git clone -q "$@" "$0"`
	s.refusedOnly(t, []string{"sh", "-c", fresh, filepath.Join(work, "clone"), address})
	s.refusedOnly(t, []string{"sh", "-c", fresh, filepath.Join(s.dir, "other"), "--template=" + template, address})
	s.refusedOnly(t, []string{"sh", "-c", `rm -rf "$0" && git init -q "$0" && cd "$0" && exec git remote add -f there "$1"`, filepath.Join(work, "fetched"), address})
	// git puts its own git before ours on PATH.
	s.refusedOnly(t, []string{"git", "-c", "alias.up=!git -C " + repository + " ls-remote", "up", address})
}

// A shell makes any text of a command: one that is not plain starts nothing.
func (s *scene) gitInAShell(t *testing.T, repository, address, loose string) {
	bin := filepath.Dir(realSSH(t))
	relative, err := filepath.Rel(repository, realSSH(t))
	check(t, err)
	ask := []string{"git", "-C", repository, "ls-remote", address}
	for _, command := range []string{
		"${SSHBIN:-" + realSSH(t) + "} " + loose, "`echo " + realSSH(t) + "` " + loose, "$(echo " + realSSH(t) + ") " + loose,
		"$SSHBIN " + loose, "sh -c '" + realSSH(t) + " " + loose + ` "$@"' ssh`, "PATH=" + bin + " ssh " + loose, "env PATH=" + bin + " ssh " + loose,
		"cd " + bin + "; ./ssh " + loose, bin + "/s?h " + loose,
	} {
		for _, env := range [][]string{s.right, s.wrong} {
			out, err := run(t, append(env[:len(env):len(env)], "GIT_SSH_COMMAND="+command, "SSHBIN="+realSSH(t)), ask...)
			if err == nil || !strings.Contains(out, "GIT_SSH_COMMAND cannot be held to the host keys of this run") {
				t.Errorf("%s: %v: %s", command, err, out)
			}
		}
	}
	for _, command := range []string{"exec " + realSSH(t) + " " + loose, "env X=1 " + realSSH(t) + " " + loose, relative + " " + loose, "nice " + realSSH(t) + " " + loose} {
		s.refusedOnly(t, ask, "GIT_SSH_COMMAND="+command)
	}
	// What does not connect goes on.
	if out, err := run(t, append(s.right[:len(s.right):len(s.right)], "GIT_SSH_COMMAND=$SSHBIN"), "git", "-C", repository, "status"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The run's hosts are logged in to with the run's agent, also where the user's
// configuration names another, as 1Password's own set-up does. What the caller says
// counts, and of other hosts the user's configuration.
func TestSSH_LogsInToTheRunsHostsWithItsAgent(t *testing.T) {
	key := makeKey(t)
	s := startServer(t, "127.0.0.2", ed, []*sshagent.Key{key})
	a := startAgent(t, key)
	config := filepath.Join(t.TempDir(), "config")
	check(t, os.WriteFile(config, []byte("Host alias\n HostName 127.0.0.2\nHost *\n IdentityAgent none\n IdentitiesOnly yes\n IdentityFile /nowhere\n"), 0o600))
	loose := []string{"-F", config, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-p", strconv.Itoa(s.port)}
	for name, c := range map[string]struct {
		hosts, args []string
		in          bool
	}{
		"a host of the run":      {[]string{"127.0.0.2"}, []string{"127.0.0.2", "true"}, true},
		"by its alias":           {[]string{"127.0.0.2"}, []string{"alias", "true"}, true},
		"options behind it":      {[]string{"ALIAS"}, []string{"alias", "-T", "true"}, true},
		"behind --":              {[]string{"alias"}, []string{"--", "alias", "true"}, true},
		"another host":           {[]string{"127.0.0.3"}, []string{"alias", "true"}, false},
		"the caller's own agent": {[]string{"alias"}, []string{"-o", "IdentityAgent=none", "alias", "true"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("/tmp", "run")
			check(t, err)
			t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
			self, err := os.Executable()
			check(t, err)
			realSSH(t)
			check(t, sshname.Install(dir, self, sshname.Settings{AgentHosts: c.hosts}))
			out, err := run(t, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "SSH_AUTH_SOCK=" + a.Socket()}, append(append([]string{"ssh"}, loose...), c.args...)...)
			if (err == nil) != c.in {
				t.Errorf("%v: %s", err, out)
			}
			if _, err := os.Stat(filepath.Join(dir, "scp")); err == nil {
				t.Error("without host keys scp needs no name of ours")
			}
		})
	}
}

// Once the run is over its names start nothing.
func TestNames_StartNothingWhenTheRunIsOver(t *testing.T) {
	path := installSSH(t, []byte("x"))
	dir, _, _ := strings.Cut(path, ":")
	entries, err := os.ReadDir(dir)
	check(t, err)
	var links []string
	for _, entry := range entries {
		if sshname.IsName(entry.Name()) {
			links = append(links, entry.Name())
		} else {
			check(t, os.Remove(filepath.Join(dir, entry.Name())))
		}
	}
	if len(links) != 5 {
		t.Errorf("the names are %q", links)
	}
	for _, name := range links {
		if out, err := run(t, []string{"PATH=" + path}, filepath.Join(dir, name), "--version"); err == nil || !strings.Contains(out, name+" (of kamal-op): the run") {
			if _, missing := exec.LookPath(name); missing != nil {
				continue
			}
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
