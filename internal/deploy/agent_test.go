package deploy

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/testkit"
	"github.com/kamal-op/kamal-op/sshagent"
)

// newAgent is the agent of a run with a key of its own, and what the run has told.
func newAgent(t *testing.T, w Wanted) (*resources, *bytes.Buffer) {
	t.Helper()
	private, _ := testkit.SSHKey(t, "")
	key, err := sshagent.ParseKey([]byte(private), nil)
	ok(t, err)
	place, err := os.MkdirTemp("/tmp", "agent") // room for a socket
	ok(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(place) })
	dir, err := newRunDir(map[string]string{"XDG_RUNTIME_DIR": place})
	ok(t, err)
	var told bytes.Buffer
	way := gate.New(gate.Options{Stdout: &told})
	s := &resources{
		Process: Process{Gate: way, System: ci.Detect(nil, way, way.Stdout(), ci.Options{})},
		dir:     dir, keys: []*sshagent.Key{key},
	}
	ok(t, s.startAgent(t.Context(), w))
	t.Cleanup(func() {
		if s.agent != nil {
			ok(t, s.agent.Close())
		}
	})
	return s, &told
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// login logs in to a server of its own with what the agent signs.
func (s *resources) login(t *testing.T, user string) error {
	t.Helper()
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	ok(t, err)
	signer, err := ssh.NewSignerFromKey(hostKey)
	ok(t, err)
	server := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	server.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer func() { _ = listener.Close() }()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _, _, _ = ssh.NewServerConn(conn, server)
		}
	}()
	socket, err := net.Dial("unix", s.agent.Socket())
	ok(t, err)
	defer func() { _ = socket.Close() }()
	client, err := ssh.Dial("tcp", listener.Addr().String(), &ssh.ClientConfig{
		User: user, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(agent.NewClient(socket).Signers)},
	})
	if err == nil {
		_ = client.Close()
	}
	return err
}

// What the agent refuses is told with what would allow it, and at the end what it
// was used for.
func TestAgent_LogsRefusalsAndSignatures(t *testing.T) {
	s, told := newAgent(t, Wanted{Users: []string{"root"}})
	if err := s.login(t, "root"); err != nil {
		t.Error(err)
	}
	if err := s.login(t, "git"); err == nil {
		t.Error("it signs for a user that is not allowed")
	}
	ok(t, s.end())
	all, _ := s.uses.all()
	if len(all) != 2 || all[0].Kind != ci.Signature || all[0].User != "root" || all[0].Process == "" || !strings.HasPrefix(all[0].What, "a login with SHA256:") ||
		all[1].Kind != ci.Refusal || all[1].User != "git" || all[1].What != "sign: "+sshagent.ReasonUser {
		t.Errorf("the uses are %v", all)
	}
	for _, text := range []string{
		"a signature: the user is not allowed", "if that login is wanted, allow the user with --ssh-user git",
		"the agent made 1 signature for root, 1 refused",
	} {
		if !strings.Contains(told.String(), text) {
			t.Errorf("not told: %s\n%s", text, told)
		}
	}
}

func TestRefusalHint_NamesTheOption(t *testing.T) {
	for name, c := range map[string]struct {
		event sshagent.Event
		says  string
	}{
		"another user":        {sshagent.Event{Reason: sshagent.ReasonUser, User: "deploy"}, "--ssh-user deploy"},
		"a user of many":      {sshagent.Event{Reason: sshagent.ReasonUser, User: "a;b"}, "--ssh-user 'a;b'"},
		"a server":            {sshagent.Event{Reason: sshagent.ReasonForwarded, Forwarded: true}, "--forward-agent"},
		"another's process":   {sshagent.Event{Reason: sshagent.ReasonStranger}, "--allow-any-peer"},
		"a file to be signed": {sshagent.Event{Reason: sshagent.ReasonNotLogin}, ""},
	} {
		if got := refusalHint(c.event); !strings.Contains(got, c.says) || (got == "") != (c.says == "") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The agent serves what the run has started. A process that has left it is any
// process of the user.
func TestAgent_ServesOnlyTheRunsProcesses(t *testing.T) {
	if _, err := exec.LookPath("ssh-add"); err != nil {
		t.Skip("ssh-add is not installed (Debian: openssh-client)")
	}
	for name, c := range map[string]struct {
		wanted Wanted
		status string
	}{
		"by itself":        {Wanted{}, "1"}, // what ssh-add ends with where it is refused
		"--allow-any-peer": {Wanted{AnyPeer: true}, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newAgent(t, c.wanted)
			env := []string{"PATH=" + os.Getenv("PATH"), "SSH_AUTH_SOCK=" + s.agent.Socket()}
			child := exec.Command("sh", "-c", "ssh-add -l; exit $?")
			child.Env = env
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("a grandchild: %v: %s", err, out)
			}
			if got := orphan(t, env, "ssh-add -l >/dev/null 2>&1; echo $?"); got != c.status {
				t.Errorf("an orphan's ssh-add ends with %q, wants %q", got, c.status)
			}
		})
	}
}

// orphan runs a shell command whose parent has ended; we are no subreaper here. It
// gives what the command writes.
func orphan(t *testing.T, env []string, command string) string {
	t.Helper()
	said, says, err := os.Pipe()
	ok(t, err)
	defer func() { _ = said.Close() }()
	waits, gate, err := os.Pipe()
	ok(t, err)
	cmd := exec.Command("sh", "-c", `(sh -c "read -r _ <&4; $0" >&3 &)`, command)
	cmd.Env, cmd.ExtraFiles = env, []*os.File{says, waits}
	ok(t, cmd.Run())
	for _, end := range []*os.File{says, waits, gate} {
		ok(t, end.Close())
	}
	out, err := io.ReadAll(said)
	ok(t, err)
	return strings.TrimSpace(string(out))
}
