package standin

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/crypto/ssh"
)

const (
	// hangUpTime is how long a command has after SIGHUP, when its client is
	// gone, before it is killed.
	hangUpTime = 2 * time.Second
	// drainTime is how long a command's pipes may stay open after its end: a
	// daemon that it left behind may hold them for ever.
	drainTime = 2 * time.Second
	// notFound is what a shell exits with where there is no such command.
	notFound = 127
)

// A session is one channel of a login: at most one command with its streams.
type session struct {
	host    *SSHHost
	channel ssh.Channel
	env     []string
	term    *terminal

	mu      sync.Mutex
	process *os.Process // the leader of the command's process group
	pty     *os.File
}

// A terminal is what the client asked for with pty-req.
type terminal struct {
	name string
	size pty.Winsize
}

// The payloads of the requests, as RFC 4254 sections 6.2 to 6.10 have them.
type (
	ptyRequest struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	windowChange struct{ Columns, Rows, Width, Height uint32 }
	envRequest   struct{ Name, Value string }
	execRequest  struct{ Command string }
	signalName   struct{ Signal string }
	exitStatus   struct{ Status uint32 }
	exitSignal   struct {
		Signal     string
		CoreDumped bool
		Message    string
		Language   string
	}
)

// session serves one channel until it is closed, and then ends what it ran.
func (h *SSHHost) session(ctx context.Context, channel ssh.Channel, requests <-chan *ssh.Request) {
	s := &session{host: h, channel: channel}
	var command sync.WaitGroup
	done := make(chan struct{})
	started := false
	start := func(line string) bool {
		if started {
			return false
		}
		started = true
		command.Go(func() {
			defer close(done)
			s.run(line)
		})
		return true
	}
	for request := range requests {
		ok := false
		switch request.Type {
		case "env":
			var e envRequest
			if ssh.Unmarshal(request.Payload, &e) == nil && !started {
				s.env = append(s.env, e.Name+"="+e.Value)
				ok = true
			}
		case "pty-req":
			var p ptyRequest
			if ssh.Unmarshal(request.Payload, &p) == nil && !started {
				s.term = &terminal{name: p.Term, size: winsize(windowChange{p.Columns, p.Rows, p.Width, p.Height})}
				ok = true
			}
		case "window-change":
			var w windowChange
			if ssh.Unmarshal(request.Payload, &w) == nil {
				ok = s.resize(w)
			}
		case "exec":
			var e execRequest
			ok = ssh.Unmarshal(request.Payload, &e) == nil && start(e.Command)
		case "shell":
			ok = start("")
		case "signal":
			var name signalName
			if ssh.Unmarshal(request.Payload, &name) == nil {
				ok = s.signal(signalNumber(name.Signal))
			}
		}
		if request.WantReply {
			_ = request.Reply(ok, nil)
		}
	}
	// The channel is closed, or the connection is gone.
	if started {
		s.end(ctx, done)
	}
	command.Wait()
	_ = channel.Close()
}

// end hangs up on a command that its client no longer waits for.
func (s *session) end(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
		return
	default:
	}
	s.signal(syscall.SIGHUP)
	grace := time.NewTimer(hangUpTime)
	defer grace.Stop()
	select {
	case <-done:
		return
	case <-grace.C:
	case <-ctx.Done(): // the whole server ends: no grace
	}
	s.signal(syscall.SIGKILL)
}

// run runs one command to its end and tells the client how it ended.
func (s *session) run(line string) {
	args := []string{}
	name := "shell"
	if line != "" {
		args = []string{"-c", line}
		name = firstWord(line)
	}
	opts := s.host.opts
	cmd := exec.Command(opts.Shell, args...)
	cmd.Dir = opts.Dir
	cmd.Env = slices.Concat(opts.Env, []string{
		"HOME=" + opts.Dir, "PWD=" + opts.Dir, "USER=" + opts.User, "LOGNAME=" + opts.User, "SHELL=" + opts.Shell,
	}, s.env)
	cmd.WaitDelay = drainTime

	begun := time.Now()
	var err error
	if s.term != nil {
		err = s.runTerminal(cmd)
	} else {
		err = s.runPipes(cmd)
	}
	s.host.opts.Log(name + " took " + time.Since(begun).Round(time.Millisecond).String())

	_ = s.channel.CloseWrite()
	request, payload := ending(cmd, err)
	_, _ = s.channel.SendRequest(request, false, payload)
	_ = s.channel.Close()
}

func (s *session) runPipes(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout = s.channel
	cmd.Stderr = s.channel.Stderr()
	// Not cmd.Stdin: Wait would wait for the client to close its side too.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := s.start(cmd.Start, cmd); err != nil {
		return err
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		_, _ = io.Copy(stdin, s.channel)
		_ = stdin.Close()
	}()
	err = cmd.Wait()
	// The copy ends with the channel, which the client closes once it has the
	// exit status; a copy that is stuck writing ends because Wait closed stdin.
	s.host.running.Go(func() { <-fed })
	return err
}

func (s *session) runTerminal(cmd *exec.Cmd) error {
	cmd.Env = append(cmd.Env, "TERM="+s.term.name)
	var leader *os.File
	start := func() (err error) {
		leader, err = pty.StartWithSize(cmd, &s.term.size) // a session of its own, so a group of its own
		return err
	}
	if err := s.start(start, cmd); err != nil {
		return err
	}
	s.mu.Lock()
	s.pty = leader
	s.mu.Unlock()
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		_, _ = io.Copy(leader, s.channel)
	}()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(s.channel, leader) // ends with EIO when nobody has the terminal any more
	}()
	err := cmd.Wait()
	late := time.NewTimer(drainTime)
	defer late.Stop()
	select {
	case <-drained:
	case <-late.C:
	}
	s.mu.Lock()
	s.pty = nil
	_ = leader.Close()
	s.mu.Unlock()
	<-drained
	s.host.running.Go(func() { <-fed })
	return err
}

// start starts the command and remembers its process, so that a signal that
// arrives at once finds it.
func (s *session) start(start func() error, cmd *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := start(); err != nil {
		return err
	}
	s.process = cmd.Process
	return nil
}

// signal sends a signal to the command's process group and says whether it
// could. The group outlives its leader where the leader left children behind.
func (s *session) signal(number syscall.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number == 0 || s.process == nil {
		return false
	}
	return syscall.Kill(-s.process.Pid, number) == nil
}

func (s *session) resize(w windowChange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pty == nil {
		return false
	}
	size := winsize(w)
	return pty.Setsize(s.pty, &size) == nil
}

func winsize(w windowChange) pty.Winsize {
	return pty.Winsize{Cols: uint16(w.Columns), Rows: uint16(w.Rows), X: uint16(w.Width), Y: uint16(w.Height)}
}

// ending is the request that tells how a command ended, after cmd.Wait gave err.
func ending(cmd *exec.Cmd, err error) (request string, payload []byte) {
	if cmd.ProcessState == nil { // it never started
		return "exit-status", ssh.Marshal(exitStatus{notFound})
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return "exit-signal", ssh.Marshal(exitSignal{Signal: signalText(status.Signal()), CoreDumped: status.CoreDump()})
	}
	code := cmd.ProcessState.ExitCode()
	if code == 0 && err != nil && !errors.Is(err, exec.ErrWaitDelay) && !errors.Is(err, io.EOF) {
		code = 1 // its output did not reach the client
	}
	return "exit-status", ssh.Marshal(exitStatus{uint32(code)})
}

// signals are the names that RFC 4254 section 6.10 gives.
func signals() map[string]syscall.Signal {
	return map[string]syscall.Signal{
		"ABRT": syscall.SIGABRT, "ALRM": syscall.SIGALRM, "FPE": syscall.SIGFPE, "HUP": syscall.SIGHUP,
		"ILL": syscall.SIGILL, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "PIPE": syscall.SIGPIPE,
		"QUIT": syscall.SIGQUIT, "SEGV": syscall.SIGSEGV, "TERM": syscall.SIGTERM,
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
	}
}

// signalNumber is 0 for a name that is none.
func signalNumber(name string) syscall.Signal { return signals()[name] }

func signalText(number syscall.Signal) string {
	for name, n := range signals() {
		if n == number {
			return name
		}
	}
	return number.String()
}

// firstWord is what a command line may be logged by: SSHKit's `/usr/bin/env
// docker …` is docker, and no argument is told.
func firstWord(line string) string {
	words := strings.Fields(line)
	for len(words) > 1 && words[0] == "/usr/bin/env" {
		words = words[1:]
	}
	if len(words) == 0 {
		return "command"
	}
	return words[0]
}
