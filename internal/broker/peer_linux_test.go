package broker

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	line := "42 (a ) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1 2 3"
	if p, ok := parseStat(line); !ok || p != (process{7, 123456}) {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, text := range []string{"", "42", "42 (x) S", "42 (x) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0", "42 (x) S y 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123 1", "42 (x) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 z 1"} {
		if p, ok := parseStat(text); ok {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

func TestLookUp_IsWhatTheKernelSays(t *testing.T) {
	self, ok := lookUp(os.Getpid())
	if !ok || self.parent != os.Getppid() || self.start == 0 {
		t.Errorf("%+v, %v", self, ok)
	}
	if _, ok := lookUp(1 << 30); ok {
		t.Error("there is no such process")
	}
	child := exec.Command("cat")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if p, ok := lookUp(child.Process.Pid); !ok || p.parent != os.Getpid() || p.start < self.start {
		t.Errorf("a child is %+v, %v", p, ok)
	}
	if !descends(child.Process.Pid, os.Getpid(), lookUp) || descends(os.Getppid(), os.Getpid(), lookUp) {
		t.Error("a child is not ours, or our parent is")
	}
	_ = in.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
}

// The kernel names who connected, and tells when it has ended.
func TestPeerOf_HoldsOnToWhoConnected(t *testing.T) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	conn, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	p, err := peerOf(raw)
	if err != nil || p.pid != os.Getpid() || p.uid != os.Getuid() || p.ended() {
		t.Errorf("%+v, %v", p, err)
	}
	p.close()
	if p.handle >= 0 {
		t.Error("its handle is still open")
	}
	if _, err := checkPeer(conn, false); err != nil {
		t.Errorf("we ourselves are turned away: %v", err)
	}
}

func TestPeer_EndedIsToldByItsHandle(t *testing.T) {
	child := exec.Command("cat")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	p := peer{pid: child.Process.Pid, uid: os.Getuid(), handle: pidfd(t, child.Process.Pid)}
	defer p.close()
	if err := p.judge(os.Getuid(), os.Getpid(), false, lookUp); err != nil {
		t.Errorf("a child that lives is turned away: %v", err)
	}
	_ = in.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	// Its number may be another's by now, of whom /proc would say that it is ours.
	if err := p.judge(os.Getuid(), os.Getpid(), false, func(int) (process, bool) { return process{os.Getpid(), 1}, true }); err == nil {
		t.Error("a process that has ended is served")
	}
}

func pidfd(t *testing.T, pid int) int {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Skip("this kernel has no pidfd: ", err)
	}
	return fd
}
