package broker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/mask"
)

// listen is a broker that does not answer yet, in a directory of its own.
func listen(t *testing.T, notify ...func(broker.Event)) (b *broker.Broker, socket string, env []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "early")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	waiting := broker.ListenOptions{Dir: dir, Executable: self}
	if len(notify) > 0 {
		waiting.Notify = notify[0]
	}
	if b, err = broker.Listen(context.Background(), waiting); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8"}
	env = slices.Concat(env, b.Environment(env))
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, opclient.SocketVariable+"="); ok {
			socket = value
		}
	}
	return b, socket, env
}

// sayHello says what a Kamal says, and gives the answer that comes for it.
func sayHello(t *testing.T, socket, text string) <-chan string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(text + "\n")); err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() {
		defer func() { _ = conn.Close() }()
		var all bytes.Buffer
		_, _ = all.ReadFrom(conn)
		answer <- all.String()
	}()
	return answer
}

// Who says hello before all is known gets its answer when it is.
func TestListen_AnswersWhenOpened(t *testing.T) {
	b, socket, _ := listen(t)
	answer := sayHello(t, socket, `{"hello":{"pid":1,"kamal":"2.12.0","early":true}}`)
	if got := <-b.Arrival(); got != (broker.Arrival{Version: "2.12.0"}) {
		t.Errorf("%+v arrived", got)
	}
	select {
	case got := <-answer:
		t.Fatalf("answered before it was opened: %s", got)
	default:
	}
	b.Open(broker.Options{Declared: []broker.DeclaredSecret{{Secret: mask.NewSecret("A", "its value")}}})
	var reply struct{ Declared map[string][]byte }
	if err := json.Unmarshal([]byte(<-answer), &reply); err != nil || string(reply.Declared["A"]) != "its value" {
		t.Errorf("answered %v, %v", reply, err)
	}
}

// One that is closed without it has told nobody anything.
func TestListen_EndsWithoutAnAnswer(t *testing.T) {
	b, socket, _ := listen(t)
	answer := sayHello(t, socket, `{"hello":{"pid":1,"kamal":"2.12.0","early":true}}`)
	<-b.Arrival()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; strings.Contains(got, "declared") {
		t.Errorf("answered %s", got)
	}
}

// One that ends instead is answered at once: it waits for that, so that it can still
// be asked which process it is.
func TestListen_AnswersAKamalThatEndsAtOnce(t *testing.T) {
	b, socket, _ := listen(t)
	answer := sayHello(t, socket, `{"hello":{"pid":1,"apart":"it calls system"}}`)
	if got := <-b.Arrival(); got.Apart != "it calls system" {
		t.Errorf("%+v arrived", got)
	}
	if got := <-answer; got != "{}\n" {
		t.Errorf("answered %q", got)
	}
}

// One that is dismissed is forgotten, and not answered when the broker is opened; nor
// is what it says afterwards. The Kamal that comes then is the only one.
func TestDismiss_ForgetsTheEarlyKamal(t *testing.T) {
	var events []broker.Event
	b, socket, _ := listen(t, func(e broker.Event) { events = append(events, e) })
	waits := sayHello(t, socket, `{"hello":{"pid":1,"kamal":"2.12.0","early":true}}`)
	<-b.Arrival()
	if kamals, _ := b.Running(); !slices.Equal(kamals, []int{1}) {
		t.Errorf("%v run", kamals)
	}
	b.Dismiss()
	if got := <-sayHello(t, socket, `{"hello":{"pid":2,"kamal":"2.12.0","early":true}}`); !strings.Contains(got, "not wanted") {
		t.Errorf("one that is late is answered %s", got)
	}
	if got := <-sayHello(t, socket, `{"hello":{"pid":3,"apart":"it calls system"}}`); !strings.Contains(got, "not wanted") {
		t.Errorf("one that is late is answered %s", got)
	}
	b.Open(broker.Options{Declared: []broker.DeclaredSecret{{Secret: mask.NewSecret("A", "its value")}}})
	if got := <-waits; !strings.Contains(got, "not wanted") {
		t.Errorf("it is answered %s", got)
	}
	if got := <-sayHello(t, socket, `{"hello":{"pid":4,"kamal":"2.12.1"}}`); !strings.Contains(got, `"declared"`) {
		t.Errorf("the next is answered %s", got)
	}
	if kamals, _ := b.Running(); !slices.Equal(kamals, []int{4}) {
		t.Errorf("%v run", kamals)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || !strings.Contains(events[0].Message, "kamal 2.12.1") {
		t.Errorf("told %+v", events)
	}
}

// An early is a Kamal that was started before all is known.
type early struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func startEarly(t *testing.T, env []string, dir, program string, args ...string) *early {
	t.Helper()
	e := &early{cmd: exec.Command(program, args...)}
	e.cmd.Dir, e.cmd.Env = dir, append(slices.Clone(env), kamal.EarlyVariable+"=1")
	e.cmd.Stdout, e.cmd.Stderr = &e.out, &e.out
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.cmd.Process.Kill() })
	return e
}

// markedProject is one whose ERB and whose hook leave a mark.
func markedProject(t *testing.T) (dir, mark string) {
	t.Helper()
	dir = t.TempDir()
	mark = filepath.Join(dir, "mark")
	if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := "<% File.write('" + mark + "', ENV['A'].to_s) %>service: app\nimage: i\nservers: [ localhost ]\nregistry: { server: localhost:5000 }\nbuilder: { arch: amd64 }\n"
	if err := os.WriteFile(filepath.Join(dir, "config", "deploy.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, mark
}

// A Kamal that is started early loads its commands, and neither begins one nor reads
// deploy.yml before it is answered. Then it has the secrets.
func TestKamal_WaitsForTheAnswer(t *testing.T) {
	needKamal(t)
	b, _, env := listen(t)
	dir, mark := markedProject(t)
	e := startEarly(t, env, dir, *realKamal, "config", "--version", "v1")
	if got := <-b.Arrival(); got.Version != kamal.TestedVersion || got.Apart != "" {
		t.Fatalf("%+v arrived\n%s", got, e.out.String())
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the ERB of deploy.yml has run before the answer")
	}
	b.Open(broker.Options{Declared: []broker.DeclaredSecret{{Secret: mask.NewSecret("A", "its value")}}})
	if err := e.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, e.out.String())
	}
	if text, err := os.ReadFile(mark); err != nil || string(text) != "its value" {
		t.Errorf("the ERB had %q, %v", text, err)
	}
}

// Bundler's binstub becomes the Kamal of the project's bundle, and waits as well.
func TestKamal_WaitsInABundle(t *testing.T) {
	needKamal(t)
	b, _, env := listen(t)
	dir, mark := markedProject(t)
	stub := filepath.Join(dir, "bin", "kamal")
	if err := os.Mkdir(filepath.Dir(stub), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Gemfile"), []byte("source \"https://rubygems.org\"\ngem \"kamal\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Debian has no program called bundle.
	bundle := exec.Command("ruby", "-rbundler", "-e", `require "bundler/cli"; Bundler::CLI.start(ARGV)`, "binstubs", "kamal")
	bundle.Dir, bundle.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8"}
	if out, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !kamal.LoadsPreload(stub, dir, env) {
		t.Error("it is not known to load the preload")
	}
	e := startEarly(t, env, dir, stub, "config", "--version", "v1")
	if got := <-b.Arrival(); got.Version != kamal.TestedVersion || got.Apart != "" {
		t.Fatalf("%+v arrived\n%s", got, e.out.String())
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the ERB of deploy.yml has run before the answer")
	}
	b.Open(broker.Options{})
	if err := e.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, e.out.String())
	}
	if !kamal.LoadsPreload(*realKamal, dir, env) {
		t.Errorf("%s is not known to load the preload", *realKamal)
	}
}

// Where no answer comes nothing has begun, also where a command needs no
// configuration.
func TestKamal_EndsWithoutTheAnswer(t *testing.T) {
	needKamal(t)
	for _, args := range [][]string{{"config"}, {"init"}, {"version"}} {
		b, _, env := listen(t)
		dir := t.TempDir()
		e := startEarly(t, env, dir, *realKamal, args...)
		<-b.Arrival()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := e.cmd.Wait(); err == nil {
			t.Errorf("kamal %v has gone on\n%s", args, e.out.String())
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 || strings.Contains(e.out.String(), kamal.TestedVersion+"\n") {
			t.Errorf("kamal %v has begun: %v, %v\n%s", args, entries, err, e.out.String())
		}
	}
}

// What is called kamal and does something else than load Kamal's commands ends
// before it has done it, and says so.
func TestKamal_EndsWhereItIsUnknown(t *testing.T) {
	needKamal(t)
	dir := t.TempDir()
	mark := filepath.Join(dir, "mark")
	for name, does := range map[string]string{
		"system":     `system "touch", MARK`,
		"exec":       `exec "touch", MARK`,
		"backticks":  "`touch #{MARK}`",
		"open3":      `require "open3"; Open3.capture2e("touch", MARK)`,
		"a pipe":     `IO.popen([ "touch", MARK ])`,
		"a fork":     `fork { File.write(MARK, "") }`,
		"an open":    `open("|touch #{MARK}").read`,
		"a read":     `IO.read("|touch #{MARK}")`,
		"a terminal": `require "pty"; PTY.spawn("touch #{MARK}") { |out, *| out.read rescue nil }`,
		"TCP":        `require "socket"; TCPSocket.open("127.0.0.1", 1) rescue File.write(MARK, "")`,
		"a socket":   `require "socket"; Socket.tcp("127.0.0.1", 1) rescue File.write(MARK, "")`,
		"Docker":     `require "socket"; UNIXSocket.open("/var/run/docker.sock") rescue File.write(MARK, "")`,
		"HTTP":       `require "net/http"; Net::HTTP.get(URI("http://127.0.0.1:1/")) rescue File.write(MARK, "")`,
		"connection": `require "net/ssh"; begin; Net::SSH.start("127.0.0.1", "x", port: 1, non_interactive: true); rescue StandardError; end; File.write(MARK, "")`,
	} {
		t.Run(name, func(t *testing.T) {
			b, _, env := listen(t)
			path := filepath.Join(t.TempDir(), "kamal")
			if err := os.WriteFile(path, []byte("#!/usr/bin/ruby\nMARK = \""+mark+"\"\n"+does+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			e := startEarly(t, env, dir, path, "deploy")
			select {
			case got := <-b.Arrival():
				if got.Apart == "" {
					t.Errorf("%+v arrived", got)
				}
			case <-time.After(2 * time.Minute):
				t.Error("nothing arrived")
			}
			if err := e.cmd.Wait(); err == nil {
				t.Error("it has gone on")
			}
			if _, err := os.Stat(mark); err == nil {
				t.Errorf("it has run something\n%s", e.out.String())
			}
		})
	}
}
