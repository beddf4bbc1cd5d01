package peer

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	line := "42 (a ) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1 2 3"
	if p, ok := parseStat(line); !ok || p != (Process{Name: "a ) b (c", Parent: 7, Start: 123456}) {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, text := range []string{
		"", "42", ")(", "42 (x) S", "42 x S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1",
		"42 (x) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0",
		"42 (x) S y 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123 1", "42 (x) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 z 1",
	} {
		if p, ok := parseStat(text); ok {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

// child starts a process that lives until end is called.
func child(t *testing.T) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLookUp_IsWhatTheKernelSays(t *testing.T) {
	self, ok := LookUp(os.Getpid())
	if !ok || self.Parent != os.Getppid() || self.Start == 0 || self.Name == "" {
		t.Errorf("%+v, %v", self, ok)
	}
	if _, ok := LookUp(1 << 30); ok {
		t.Error("there is no such process")
	}
	pid, end := child(t)
	if p, ok := LookUp(pid); !ok || p.Parent != os.Getpid() || p.Start < self.Start {
		t.Errorf("a child is %+v, %v", p, ok)
	}
	if !descends(pid, os.Getpid(), LookUp) || descends(os.Getppid(), os.Getpid(), LookUp) {
		t.Error("a child is not ours, or our parent is")
	}
	end()
}

// A process has begun, and has not any more when it has ended, waited for or not.
func TestBegan(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if start, ok := Began(cmd.Process.Pid); !ok || start == 0 {
		t.Errorf("a process that lives began at %d, %v", start, ok)
	}
	_ = in.Close()
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if start, ok := Began(cmd.Process.Pid); ok {
		t.Errorf("a process that nobody has waited for began at %d", start)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if start, ok := Began(cmd.Process.Pid); ok {
		t.Errorf("a process that is no more began at %d", start)
	}
}

// The kernel names who connected, and holds on to it.
func TestOf_IsWhoConnected(t *testing.T) {
	conn := connected(t, func(address string) {
		client, err := net.Dial("unix", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
	})
	p, err := Of(conn)
	if err != nil || p.PID != os.Getpid() || p.UID != os.Getuid() || p.Ended() {
		t.Errorf("%+v, %v", p, err)
	}
	if got := p.Judge(os.Getuid(), os.Getpid()); got != Served {
		t.Errorf("we ourselves are turned away: %d", got)
	}
	p.Close()
	if p.Held() {
		t.Error("its handle is still open")
	}
}

// A process that has ended and was waited for is gone, whatever its number now means.
// Kernels say so in different ways.
func TestOf_KnowsThatItHasEnded(t *testing.T) {
	add, err := exec.LookPath("ssh-add")
	if err != nil {
		t.Skip("ssh-add is not installed (Debian: openssh-client)")
	}
	var client *exec.Cmd
	conn := connected(t, func(address string) {
		client = exec.Command(add, "-l")
		client.Env = []string{"SSH_AUTH_SOCK=" + address}
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
	})
	if err := client.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := client.Wait(); err == nil {
		t.Fatal("the client ended by itself")
	}
	p, err := Of(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.PID != client.Process.Pid || !p.Ended() {
		t.Errorf("%+v seems to live", p)
	}
}

// connected is the server's end of a connection that somebody opens.
func connected(t *testing.T, open func(address string)) syscall.RawConn {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	open(listener.Addr().String())
	conn, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The number of a process that has ended may be another's by now, of whom /proc says
// that it is ours.
func TestJudge_EndedIsToldByTheHandle(t *testing.T) {
	pid, end := child(t)
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Skip("this kernel has no pidfd: ", err)
	}
	p := Peer{PID: pid, UID: os.Getuid(), handle: fd}
	defer p.Close()
	if got := p.Judge(os.Getuid(), os.Getpid()); got != Served {
		t.Errorf("a child that lives is turned away: %d", got)
	}
	end()
	if got := p.judge(os.Getuid(), os.Getpid(), func(int) (Process, bool) { return born(os.Getpid(), 1), true }); got != Ended {
		t.Errorf("a process that has ended is judged %d", got)
	}
}
