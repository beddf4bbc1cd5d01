package sshagent

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kamal-op/kamal-op/sshagent/peer"
)

func TestPeer_InTheEvent(t *testing.T) {
	a, _ := startAgent(t, Options{})
	// A shell between us and the client, so that there is a chain.
	cmd := exec.Command("sh", "-c", `ssh-add -D; exit 0`)
	cmd.Env = []string{"SSH_AUTH_SOCK=" + a.Socket(), "PATH=" + os.Getenv("PATH")}
	if _, err := exec.LookPath("ssh-add"); err != nil {
		t.Skip("ssh-add is not installed (Debian: openssh-client)")
	}
	check(t, cmd.Run())
	e := a.Events()[0]
	if e.Request != "remove" || e.Peer.UID != os.Getuid() || e.Peer.PID == 0 {
		t.Fatalf("the event is %+v", e)
	}
	if filepath.Base(e.Peer.Executable) != "ssh-add" {
		t.Errorf("the executable is %q", e.Peer.Executable)
	}
	var names []string
	for _, p := range e.Peer.Chain {
		names = append(names, p.Name)
	}
	if len(names) != 2 || names[0] != "sh" || e.Peer.Chain[1].PID != os.Getpid() {
		t.Errorf("the chain is %v, want the shell and this process", e.Peer.Chain)
	}
}

func TestReason_OfEachVerdict(t *testing.T) {
	for verdict, want := range map[peer.Verdict]string{
		peer.Served: "", peer.OtherUser: ReasonOwner, peer.Ended: ReasonGone, peer.Stranger: ReasonStranger, peer.Unseen: ReasonStranger,
		peer.Verdict(99): ReasonStranger,
	} {
		if got := reason(verdict); got != want {
			t.Errorf("verdict %d is told as %q", verdict, got)
		}
	}
}

func TestPeer_BarredGetsAnswers(t *testing.T) {
	a, k := startTuned(t, Options{Descendants: true}, func(a *Agent) { a.uid = os.Getuid() + 1 }) // as if another user had connected
	w := dial(t, a)
	if got := w.ask([]byte{msgList}); got[0] != msgFailure {
		t.Errorf("a list is answered with %d", got[0])
	}
	if w.login(k, request{}, 0) {
		t.Fatal("signed")
	}
	if got := lastReason(t, a); got != ReasonOwner {
		t.Errorf("refused because %q", got)
	}
}

// A process connects, hands its connection on, and ends: whoever holds the
// socket then is not who connected.
func TestPeer_EndedAfterConnecting(t *testing.T) {
	a, k := startAgent(t, Options{})
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer func() { _ = ours.Close() }()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHandOver$")
	cmd.Env = append(os.Environ(), "HAND_OVER="+a.Socket())
	cmd.ExtraFiles = []*os.File{theirs}
	check(t, cmd.Start())
	check(t, theirs.Close())
	oob := make([]byte, 64)
	_, n, _, _, err := syscall.Recvmsg(int(ours.Fd()), make([]byte, 1), oob, 0)
	check(t, err)
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	check(t, err)
	fds, err := syscall.ParseUnixRights(&messages[0])
	check(t, err)
	f := os.NewFile(uintptr(fds[0]), "handed over")
	defer func() { _ = f.Close() }()
	c, err := net.FileConn(f)
	check(t, err)
	defer func() { _ = c.Close() }()
	w := &wire{t, c}
	if got := w.ask([]byte{msgList}); got[0] != msgListAnswer {
		t.Fatalf("while it lives, a list is answered with %d", got[0])
	}
	check(t, ours.Close()) // lets it end
	check(t, cmd.Wait())
	if w.login(k, request{}, 0) {
		if a.hasHandle() {
			t.Fatal("signed for a process that has ended")
		}
		t.Skip("this kernel has no SO_PEERPIDFD (Linux 6.5)")
	}
	if got := lastReason(t, a); got != ReasonGone {
		t.Errorf("refused because %q", got)
	}
}

// hasHandle says whether the kernel gives handles on clients.
func (a *Agent) hasHandle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.conns {
		if c.caller.Held() {
			return true
		}
	}
	return false
}

// TestHandOver is the process of TestPeer_EndedAfterConnecting.
func TestHandOver(t *testing.T) {
	socket := os.Getenv("HAND_OVER")
	if socket == "" {
		t.Skip("runs in a process of its own")
	}
	c, err := net.Dial("unix", socket)
	check(t, err)
	f, err := c.(*net.UnixConn).File()
	check(t, err)
	check(t, syscall.Sendmsg(3, []byte{0}, syscall.UnixRights(int(f.Fd())), nil, 0))
	_, _ = syscall.Read(3, make([]byte, 1)) // until the other end closes
}

func TestPeer_Descendants(t *testing.T) {
	a, _ := startAgent(t, Options{Descendants: true})
	dial(t, a).ask([]byte{msgList}) // ourselves
	if _, err := exec.LookPath("ssh-add"); err != nil {
		t.Skip("ssh-add is not installed (Debian: openssh-client)")
	}
	env := []string{"SSH_AUTH_SOCK=" + a.Socket(), "PATH=" + os.Getenv("PATH")}
	child := exec.Command("sh", "-c", "ssh-add -l; exit $?")
	child.Env = env
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("a grandchild: %v: %s", err, out)
	}
	if _, err := exec.LookPath("setsid"); err != nil {
		return
	}
	// An orphan: its parent has ended, and we are no subreaper.
	out := filepath.Join(t.TempDir(), "out")
	orphan := exec.Command("sh", "-c", `(setsid sh -c 'while [ "$(ps -o ppid= -p $$ | tr -d " ")" != 1 ]; do sleep 0.05; done; ssh-add -l; echo status $?' >"$0" 2>&1 &)`, out)
	orphan.Env = env
	check(t, orphan.Run())
	text := await(t, out, "status")
	if strings.Contains(text, "status 0") {
		t.Errorf("an orphan may list: %s", text)
	}
	if got := lastReason(t, a); got != ReasonStranger {
		t.Errorf("refused because %q", got)
	}
}
