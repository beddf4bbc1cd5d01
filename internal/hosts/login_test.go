package hosts

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/sshagent"
)

var ed = []string{"ed25519"}

// ample is the time of a login that is to come to its end on a slow machine too.
const ample = 30 * time.Second

// silent is a server that says nothing for as long as the client stays.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestLogin_DistinguishesFailures(t *testing.T) {
	key, other := makeKey(t), makeKey(t)
	keys := []*sshagent.Key{key}
	good := startServer(t, "127.0.0.1", ed, keys)
	lookup := names(map[string][]string{"app": {"127.0.0.1"}, "nowhere": {"192.0.2.1"}})
	for name, c := range map[string]struct {
		target  Target
		outcome Outcome
		says    string
		hint    string
		detail  string
	}{
		"logs in":               {target: good.target(), outcome: LoggedIn},
		"by name":               {target: Target{Host: "app", Port: good.port, User: good.user}, outcome: LoggedIn},
		"key not there":         {target: startServer(t, "127.0.0.1", ed, []*sshagent.Key{other}).target(), outcome: NotAllowed, says: "does not take the key SHA256:", hint: "authorized_keys", detail: "ssh-ed25519 AAAA"},
		"user not allowed":      {target: startServer(t, "127.0.0.1", ed, keys, "AllowUsers nobody-of-that-name").target(), outcome: NotAllowed},
		"no public keys":        {target: startServer(t, "127.0.0.1", ed, keys, "PubkeyAuthentication no", "PasswordAuthentication yes").target(), outcome: NoPublicKey, says: "cannot log in with a key"},
		"notice, no shell":      {target: startServer(t, "127.0.0.1", ed, keys, `ForceCommand echo Please login as the user ubuntu; exit 142`).target(), outcome: UserBarred, says: "takes the key, but may not log in", detail: "Please login as the user ubuntu"},
		"notice with an escape": {target: startServer(t, "127.0.0.1", ed, keys, `ForceCommand printf '\033[2J::error::x\n'; exit 1`).target(), outcome: UserBarred, detail: "[2J::error::x"},
		"name does not resolve": {target: Target{Host: "missing"}, outcome: NoSuchName, says: "missing does not resolve"},
		"port closed":           {target: Target{Host: "127.0.0.1", Port: closedPort(t)}, outcome: PortClosed, says: "refuses connections"},
		"not SSH": {target: startPlain(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}), outcome: NotSSH, says: "is no SSH server"},
		"hangs up":     {target: startPlain(t, func(net.Conn) {}), outcome: HungUp, says: "closed the connection"},
		"says nothing": {target: startPlain(t, silent), outcome: NoAnswer, says: "did not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Keys: keys, Lookup: lookup, Time: ample}
			if c.outcome == NoAnswer {
				o.Time = time.Second
			}
			results := Login(t.Context(), []Target{c.target}, o)
			if len(results) != 1 || results[0].Outcome != c.outcome {
				t.Fatalf("%+v, want %s", results, c.outcome)
			}
			problems := Problems(results, o)
			if c.outcome == LoggedIn {
				if len(problems) > 0 || results[0].Key != key.Fingerprint() || results[0].HostKey == nil {
					t.Errorf("%+v, %v", results, problems)
				}
				return
			}
			if len(problems) != 1 || !strings.Contains(problems[0].Message, c.says) || !strings.Contains(problems[0].Hint, c.hint) || problems[0].Hint == "" {
				t.Errorf("problems are %+v", problems)
			}
			if details := strings.Join(problems[0].Details, "\n"); !strings.Contains(details, c.detail) || strings.Contains(details, "\x1b") {
				t.Errorf("details are %q", details)
			}
		})
	}
}

// What a host says to a question comes back, without what it says on standard error.
func TestLogin_GivesTheAnswerOfACommand(t *testing.T) {
	key := makeKey(t)
	good := startServer(t, "127.0.0.1", ed, []*sshagent.Key{key})
	o := Options{Keys: []*sshagent.Key{key}, Time: ample, Ask: "echo one; echo err >&2; echo two"}
	before := time.Now()
	r := Login(t.Context(), []Target{good.target()}, o)[0]
	if r.Outcome != LoggedIn || r.Answer != "one\ntwo\n" || r.Answered.Before(before) || r.Answered.After(time.Now()) {
		t.Errorf("%+v", r)
	}
	o.Ask = "echo no; exit 3"
	if r := Login(t.Context(), []Target{good.target()}, o)[0]; r.Outcome != UserBarred || r.Detail != "no" {
		t.Errorf("%+v", r)
	}
}

// A login shell that Kamal's commands do not work in is told before they are run. Of what
// others are reached through, and with a question of ours, nothing of that is asked.
func TestLogin_WhereAnotherShellLogsIn(t *testing.T) {
	key := makeKey(t)
	shells := map[string]string{"one like an older fish": `case "$SSH_ORIGINAL_COMMAND" in *while*) exit 0;; esac; eval "$SSH_ORIGINAL_COMMAND"`, "one like fish": `case "$SSH_ORIGINAL_COMMAND" in *while*) echo 'Missing end to balance this while loop' >&2; exit 127;; esac; eval "$SSH_ORIGINAL_COMMAND"`}
	for _, real := range []string{"fish", "tcsh", "csh"} {
		if path, err := exec.LookPath(real); err == nil {
			shells[real] = path + ` -c "$SSH_ORIGINAL_COMMAND"`
		}
	}
	for name, command := range shells {
		s := startServer(t, "127.0.0.1", ed, []*sshagent.Key{key}, "ForceCommand "+command)
		o := Options{Keys: []*sshagent.Key{key}, Time: ample}
		r := Login(t.Context(), []Target{s.target()}, o)[0]
		if r.Outcome != OtherShell || !strings.Contains(r.problem(o).Message, "is no POSIX shell") {
			t.Errorf("%s: %+v", name, r)
		}
		behind, through := startServer(t, "127.0.0.1", ed, []*sshagent.Key{key}).target(), s.target()
		behind.Jump = &through
		for _, r := range Login(t.Context(), []Target{behind}, o) {
			if r.Outcome != LoggedIn {
				t.Errorf("through %s: %+v", name, r)
			}
		}
		o.Ask = "echo one"
		if r := Login(t.Context(), []Target{s.target()}, o)[0]; r.Outcome != LoggedIn || r.Answer != "one\n" {
			t.Errorf("%s, asked: %+v", name, r)
		}
	}
}

// A forced command that lets through what Kamal's commands begin with is in nobody's way.
func TestLogin_WhereTheFirstWordIsLookedAt(t *testing.T) {
	key := makeKey(t)
	filter := `case "$SSH_ORIGINAL_COMMAND" in "docker "*|"mkdir "*|"cat "*|"sh "*) exec sh -c "$SSH_ORIGINAL_COMMAND";; esac; echo no >&2; exit 1`
	s := startServer(t, "127.0.0.1", ed, []*sshagent.Key{key}, "ForceCommand "+filter)
	if r := Login(t.Context(), []Target{s.target()}, Options{Keys: []*sshagent.Key{key}, Time: ample})[0]; r.Outcome != LoggedIn {
		t.Errorf("%+v", r)
	}
}

// A question that has no end is told from a host that does not answer.
func TestLogin_DistinguishesAnEndlessAnswer(t *testing.T) {
	key := makeKey(t)
	good := startServer(t, "127.0.0.1", ed, []*sshagent.Key{key})
	pipe := filepath.Join(t.TempDir(), "pipe")
	check(t, syscall.Mkfifo(pipe, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(pipe) // it runs
		cancel()
	}()
	r := Login(ctx, []Target{good.target()}, Options{Keys: []*sshagent.Key{key}, Time: ample, Ask: "echo up >" + pipe + "; while [ -e " + pipe + " ]; do sleep 0.1; done"})[0]
	if r.Outcome != NoAnswer || r.Detail != "it let the key in, and a command there did not end" {
		t.Errorf("%+v", r)
	}
	check(t, os.Remove(pipe)) // it ends
}

func TestLogin_ExplainsThatRootMayNotLogIn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can let root in, or not")
	}
	key := makeKey(t)
	s := startServer(t, "127.0.0.1", ed, []*sshagent.Key{key}, "PermitRootLogin no")
	results := Login(t.Context(), []Target{s.target()}, Options{Keys: []*sshagent.Key{key}, Time: ample})
	if results[0].Outcome != UserBarred {
		t.Errorf("%+v, want %s", results[0], UserBarred)
	}
}

func TestLogin_ReportsAWrongKeyOnce(t *testing.T) {
	key, other := makeKey(t), makeKey(t)
	a, b := startServer(t, "127.0.0.1", ed, []*sshagent.Key{other}), startServer(t, "127.0.0.1", ed, []*sshagent.Key{other})
	c := startServer(t, "127.0.0.1", ed, []*sshagent.Key{key})
	o := Options{Keys: []*sshagent.Key{key}, Time: ample}
	problems := Problems(Login(t.Context(), []Target{a.target(), b.target()}, o), o)
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "none of the 2 hosts takes the key "+key.Fingerprint()) || len(problems[0].Details) != 2 {
		t.Errorf("problems are %+v", problems)
	}
	// Where one takes it, it is the others that lack it.
	problems = Problems(Login(t.Context(), []Target{a.target(), b.target(), c.target()}, o), o)
	if len(problems) != 2 || !strings.Contains(problems[0].Message, a.target().String()+" does not take") {
		t.Errorf("problems are %+v", problems)
	}
}

func TestLogin_ChecksHostKeys(t *testing.T) {
	key := makeKey(t)
	keys := []*sshagent.Key{key}
	s := startServer(t, "127.0.0.1", []string{"rsa", "ecdsa", "ed25519"}, keys)
	_, stranger := hostKey(t, "ed25519")
	_, strangerEC := hostKey(t, "ecdsa")
	at := fmt.Sprintf("[127.0.0.1]:%d ", s.port)
	marshal := func(k ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(k)) }
	for name, c := range map[string]struct {
		pins string
		ok   bool
	}{
		"ed25519":                       {at + marshal(s.keys["ed25519"]), true},
		"ecdsa":                         {at + marshal(s.keys["ecdsa"]), true},
		"rsa":                           {at + marshal(s.keys["rsa"]), true},
		"host without port":             {"127.0.0.1 " + marshal(s.keys["ed25519"]), true},
		"fingerprint of ed25519":        {at + ssh.FingerprintSHA256(s.keys["ed25519"]), true},
		"fingerprint of ecdsa":          {at + ssh.FingerprintSHA256(s.keys["ecdsa"]), true},
		"fingerprint of rsa":            {at + ssh.FingerprintSHA256(s.keys["rsa"]), true},
		"one of two of a kind":          {at + marshal(stranger) + at + marshal(s.keys["ed25519"]), true},
		"one of two kinds is another":   {at + marshal(stranger) + at + marshal(s.keys["ecdsa"]), false}, // as with OpenSSH
		"another key":                   {at + marshal(stranger), false},
		"another key of another kind":   {at + marshal(strangerEC), false},
		"another fingerprint":           {at + ssh.FingerprintSHA256(stranger), false},
		"right for any, wrong for port": {at + marshal(stranger) + "127.0.0.1 " + marshal(s.keys["ed25519"]), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pins, err := ParsePins(c.pins, "--host-keys")
			check(t, err)
			o := Options{Keys: keys, Pins: pins, Time: ample}
			r := Login(t.Context(), []Target{s.target()}, o)[0]
			if c.ok {
				if r.Outcome != LoggedIn || !pins.Accepts(s.target(), r.HostKey) {
					t.Fatalf("%+v", r)
				}
				if left := pins.WithoutKey([]Target{s.target()}); len(left) > 0 {
					t.Errorf("not learnt: %v", left)
				}
				return
			}
			problems := Problems([]Result{r}, o)
			if r.Outcome != HostDiffers || len(problems) != 1 || !strings.Contains(strings.Join(problems[0].Details, "\n"), ssh.FingerprintSHA256(r.HostKey)) {
				t.Errorf("%+v, %+v", r, problems)
			}
			if b, err := os.ReadFile(s.log); err != nil || strings.Contains(string(b), key.Fingerprint()+" and no") {
				t.Errorf("the key was offered to a host with another host key")
			}
		})
	}
}

func TestLogin_GoesThroughAJumpHost(t *testing.T) {
	key := makeKey(t)
	keys := []*sshagent.Key{key}
	jump := startServer(t, "127.0.0.1", ed, keys)
	app := startServer(t, "127.0.0.2", ed, keys)
	j := jump.target()
	to := app.target()
	to.Jump = &j
	second := to
	second.Port = freePort(t, "127.0.0.2")
	o := Options{Keys: keys, Time: ample}
	results := Login(t.Context(), []Target{to, second}, o)
	if len(results) != 3 || results[0].Outcome != LoggedIn || results[1].Outcome != LoggedIn || results[2].Outcome != PortClosed {
		t.Fatalf("%+v", results)
	}
	if b, err := os.ReadFile(app.log); err != nil || !strings.Contains(string(b), "Accepted publickey") {
		t.Error("the host behind saw no login")
	}
	if got := strings.Count(Lines(results), "\n"); got != 2 {
		t.Errorf("lines are %q", Lines(results))
	}
	t.Run("that does not forward", func(t *testing.T) {
		j := startServer(t, "127.0.0.1", ed, keys, "AllowTcpForwarding no").target()
		to.Jump = &j
		results := Login(t.Context(), []Target{to}, o)
		if results[1].Outcome != JumpRefuses || !strings.Contains(Problems(results, o)[0].Message, "does not forward") {
			t.Errorf("%+v", results)
		}
	})
	t.Run("that is down", func(t *testing.T) {
		j := Target{Host: "127.0.0.1", Port: freePort(t, "127.0.0.1")}
		to.Jump = &j
		o := Options{Keys: keys} // with the default time: a closed port needs none
		results := Login(t.Context(), []Target{to}, o)
		if results[0].Outcome != PortClosed || results[1].Outcome != JumpFailed || len(Problems(results, o)) != 1 {
			t.Errorf("%+v", results)
		}
	})
}

func TestScan_DoesNotLogIn(t *testing.T) {
	s := startServer(t, "127.0.0.1", []string{"rsa", "ecdsa", "ed25519"}, nil)
	results := Scan(t.Context(), []Target{s.target()}, Options{Time: ample})
	if string(results[0].HostKey.Marshal()) != string(s.keys["ed25519"].Marshal()) {
		t.Fatalf("%+v", results)
	}
	if b, err := os.ReadFile(s.log); err != nil || strings.Contains(string(b), "authenticating user") {
		t.Errorf("it tried to log in: %s", b)
	}
	// What is printed is taken.
	pins, err := ParsePins(Lines(results), "--host-keys")
	check(t, err)
	if !pins.Accepts(s.target(), s.keys["ed25519"]) || len(pins.Missing([]Target{s.target()})) > 0 {
		t.Error("the line that was printed is not taken")
	}
	if p := FirstSightNotice(results); p == nil || len(p.Details) != 1 || p.Hint == "" {
		t.Errorf("%+v", p)
	}
	if p := FirstSightNotice(nil); p != nil {
		t.Errorf("%+v", p)
	}
}

// A scan goes through no jump host that has another key than the one that was given.
func TestScan_ChecksTheKeysOnTheWay(t *testing.T) {
	keys := []*sshagent.Key{makeKey(t)}
	jump, app := startServer(t, "127.0.0.1", ed, keys), startServer(t, "127.0.0.2", ed, keys)
	_, stranger := hostKey(t, "ed25519")
	pins, err := ParsePins(fmt.Sprintf("[127.0.0.1]:%d %s", jump.port, keyLine(stranger)), "--host-keys")
	check(t, err)
	j, to := jump.target(), app.target()
	to.Jump = &j
	results := Scan(t.Context(), []Target{to}, Options{Keys: keys, Pins: pins, Time: ample})
	if len(results) != 2 || results[0].Outcome != HostDiffers || results[1].Outcome != JumpFailed {
		t.Errorf("%+v", results)
	}
	if b, err := os.ReadFile(jump.log); err != nil || strings.Contains(string(b), "Accepted publickey") {
		t.Errorf("it logged in to another host: %s", b)
	}
}

func TestLogin_WorksInParallel(t *testing.T) {
	key := makeKey(t)
	slow := startPlain(t, silent)
	var targets []Target
	for i := range 20 {
		to := slow
		to.User = fmt.Sprint("user", i)
		targets = append(targets, to)
	}
	began := time.Now()
	results := Login(t.Context(), targets, Options{Keys: []*sshagent.Key{key}, Time: time.Second})
	if took := time.Since(began); took > 15*time.Second { // one after the other they would take 20 s
		t.Errorf("20 hosts that do not answer took %v", took)
	}
	for _, r := range results {
		if r.Outcome != NoAnswer {
			t.Errorf("%+v", r)
		}
	}
}

func TestLogin_UsesACertificate(t *testing.T) {
	key := makeKey(t)
	private, public := hostKey(t, "ed25519")
	ca, err := ssh.NewSignerFromKey(private)
	check(t, err)
	file := filepath.Join(t.TempDir(), "ca")
	check(t, os.WriteFile(file, ssh.MarshalAuthorizedKey(public), 0o644))
	s := startServer(t, "127.0.0.1", ed, nil, "TrustedUserCAKeys "+file)
	cert := &ssh.Certificate{Key: key.Public(), CertType: ssh.UserCert, ValidPrincipals: []string{s.user}, ValidBefore: ssh.CertTimeInfinity}
	check(t, cert.SignCert(rand.Reader, ca))
	check(t, key.Certify(ssh.MarshalAuthorizedKey(cert)))
	if r := Login(t.Context(), []Target{s.target()}, Options{Keys: []*sshagent.Key{key}, Time: ample})[0]; r.Outcome != LoggedIn {
		t.Errorf("%+v", r)
	}
}

func TestLogin_TriesTheNextAddress(t *testing.T) {
	key := makeKey(t)
	s := startServer(t, "127.0.0.2", ed, []*sshagent.Key{key})
	to := s.target()
	to.Host = "app"
	for _, addresses := range [][]string{{"127.0.0.3", "127.0.0.2"}, {"127.0.0.2"}} {
		o := Options{Keys: []*sshagent.Key{key}, Time: ample, Lookup: names(map[string][]string{"app": addresses})}
		if r := Login(t.Context(), []Target{to}, o)[0]; r.Outcome != LoggedIn {
			t.Errorf("%+v", r)
		}
	}
	o := Options{Keys: []*sshagent.Key{key}, Time: ample, Lookup: names(map[string][]string{"app": nil})}
	if r := Login(t.Context(), []Target{to}, o)[0]; r.Outcome != NoSuchName {
		t.Errorf("%+v", r)
	}
}
