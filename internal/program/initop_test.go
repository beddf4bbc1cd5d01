//go:build linux

package program

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// The answers of an op that is signed in, in the shape that the real one has, and of one
// that is not.
const (
	signedIn = `"vault list --format json") echo '[{"id":"pppppppppppppppppppppppppp","name":"Private"},{"id":"vvvvvvvvvvvvvvvvvvvvvvvvvv","name":"MyApp"},{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaa","name":"a/b"}]';;
"item list --vault vvvvvvvvvvvvvvvvvvvvvvvvvv --format json") echo '[{"id":"iiiiiiiiiiiiiiiiiiiiiiiiii","title":"Production","category":"SECURE_NOTE"},{"id":"kkkkkkkkkkkkkkkkkkkkkkkkkk","title":"Deploy key","category":"SSH_KEY"},{"id":"oooooooooooooooooooooooooo","title":"Old key","category":"SSH_KEY","state":"ARCHIVED"}]';;
`
	signedOut = `*) echo "[ERROR] 2026/11/30 12:00:00 You are not currently signed in. Please run op signin --help for instructions" >&2; exit 1;;
`
	silent = `*) : >"${0%/*}/asked"; exec sleep 60;;
`
)

// beginner is somebody with an empty project and an op, in a terminal.
type beginner struct {
	*stage

	bin string
}

func newBeginner(t *testing.T, op string) *beginner {
	t.Helper()
	b := &beginner{newStage(t, "", "TERM=xterm", "NO_COLOR=1"), t.TempDir()}
	if err := os.Remove(filepath.Join(b.dir, ".kamal", "secrets")); err != nil {
		t.Fatal(err)
	}
	config := "service: my-app\nimage: example/myapp\nservers: [127.0.0.1]\nssh: {port: 1}\nregistry: {username: example, password: [A]}\nbuilder: {arch: amd64}\n"
	if err := os.WriteFile(filepath.Join(b.dir, "config", "deploy.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.env = slices.DeleteFunc(b.env, func(entry string) bool {
		return strings.HasPrefix(entry, "KAMAL_OP_SECRET=") || strings.HasPrefix(entry, "OP_CONNECT") || strings.HasPrefix(entry, "PATH=")
	})
	b.env = append(b.env, "PATH="+b.bin+":/usr/bin:/bin")
	if op != "" {
		script := "#!/bin/sh\necho \"$*\" >>\"${0%/*}/calls\"\ncase \"$*\" in\n" + op + "*) echo \"[ERROR] 2026/11/30 12:00:00 unknown command\" >&2; exit 1;;\nesac\n"
		if err := os.WriteFile(filepath.Join(b.bin, "op"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// init types each answer once what it is for is on the screen, and gives what was shown.
func (b *beginner) init(talk [][2]string, args ...string) (text string, status int) {
	b.t.Helper()
	cmd := b.command(append([]string{"init"}, args...)...)
	keys, err := pty.Start(cmd)
	if err != nil {
		b.t.Fatalf("no pty here: %v", err)
	}
	defer func() { _ = keys.Close() }()
	timer := time.AfterFunc(50*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	var shown bytes.Buffer
	part := make([]byte, 4096)
	seen := 0
	for {
		n, err := keys.Read(part) // EIO is the end of a terminal
		shown.Write(part[:n])
		for len(talk) > 0 {
			at := strings.Index(shown.String()[seen:], talk[0][0])
			if at < 0 {
				break
			}
			seen += at + len(talk[0][0])
			if talk[0][1] == "\x03" {
				b.until("asked") // by an op that is silent
			}
			if _, err := io.WriteString(keys, talk[0][1]); err != nil {
				b.t.Fatal(err)
			}
			talk = talk[1:]
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // its status is looked at
	return shown.String(), cmd.ProcessState.ExitCode()
}

// until waits for a file beside an op that writes it.
func (b *beginner) until(name string) {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.bin, "op"))
	if err != nil || !strings.Contains(string(text), "/"+name) {
		return
	}
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(b.bin, name)); err == nil {
			return
		}
	}
	b.t.Fatalf("no file %s", name)
}

func (b *beginner) calls() string {
	text, _ := os.ReadFile(filepath.Join(b.bin, "calls")) // "" where op was not called
	return string(text)
}

// written is what init has written.
func (b *beginner) written() string {
	var all strings.Builder
	for _, name := range []string{".kamal/secrets", ".kamal/kamal-op.yml", ".github/workflows/deploy.yml"} {
		text, _ := os.ReadFile(filepath.Join(b.dir, name)) // "" where it is not there
		all.Write(text)
	}
	return all.String()
}

// Who begins a project in a terminal is shown the vaults and items that their own op
// sees, and Enter takes the likely one.
func TestInit_FindsTheNamesThroughOp(t *testing.T) {
	b := newBeginner(t, signedIn)
	text, status := b.init([][2]string{{"vault in 1Password [MyApp]: ", "\n"}, {"secrets in 1Password [Production]: ", "\n"}, {"key in 1Password [Deploy key]: ", "\n"}})
	for _, want := range []string{"asking op what you have in 1Password", "there: aaaaaaaaaaaaaaaaaaaaaaaaaa, MyApp, Private\r\n", "there: Production\r\n", "there: Deploy key\r\n"} {
		if status != 0 || !strings.Contains(text, want) {
			t.Errorf("status %d, no %q:\n%s", status, want, text)
		}
	}
	if all := b.written(); !strings.Contains(all, "--from MyApp/Production") || !strings.Contains(all, "ssh-key: op://MyApp/Deploy key") {
		t.Errorf("written:\n%s", all)
	}
	if calls := b.calls(); calls != "vault list --format json\nitem list --vault vvvvvvvvvvvvvvvvvvvvvvvvvv --format json\n" {
		t.Errorf("op was called:\n%s", calls)
	}

	// Another answer than what is there counts: it may be to be created.
	b = newBeginner(t, signedIn)
	text, status = b.init([][2]string{{"vault in 1Password [MyApp]: ", "MyApp\n"}, {"secrets in 1Password [Production]: ", "Web\n"}, {"key in 1Password [Deploy key]: ", "Server\n"}})
	if all := b.written(); status != 0 || !strings.Contains(all, "--from MyApp/Web") || !strings.Contains(all, "ssh-key: op://MyApp/Server") {
		t.Errorf("status %d\n%s\nwritten:\n%s", status, text, all)
	}

	// What flags say is not asked for, nor looked up.
	b = newBeginner(t, signedIn)
	text, status = b.init(nil, "--vault", "MyApp", "--item", "Production", "--key-item", "Server")
	if status != 0 || strings.Contains(text, "]: ") || b.calls() != "" {
		t.Errorf("status %d, op was called %q\n%s", status, b.calls(), text)
	}
}

// A name that a reference would not be read with is listed as its id; one that is typed is
// refused. The only item that there is need not be the app's: it is listed, and no more.
func TestInit_TakesNoNameThatMisleads(t *testing.T) {
	const few = `"vault list --format json") echo '[{"id":"vvvvvvvvvvvvvvvvvvvvvvvvvv","name":"100% Prod"}]';;
"item list --vault vvvvvvvvvvvvvvvvvvvvvvvvvv --format json") echo '[{"id":"iiiiiiiiiiiiiiiiiiiiiiiiii","title":"Netflix","category":"LOGIN"},{"id":"kkkkkkkkkkkkkkkkkkkkkkkkkk","title":"50%25 key?","category":"SSH_KEY"}]';;
`
	b := newBeginner(t, few)
	text, status := b.init([][2]string{{"vault in 1Password [vvvvvvvvvvvvvvvvvvvvvvvvvv]: ", "\n"}, {"secrets in 1Password [Production]: ", "\n"}, {"key in 1Password [kkkkkkkkkkkkkkkkkkkkkkkkkk]: ", "\n"}})
	if all := b.written(); status != 0 || !strings.Contains(text, "there: Netflix\r\n") || !strings.Contains(all, "--from vvvvvvvvvvvvvvvvvvvvvvvvvv/Production") || !strings.Contains(all, "ssh-key: op://vvvvvvvvvvvvvvvvvvvvvvvvvv/kkkkkkkkkkkkkkkkkkkkkkkkkk") {
		t.Errorf("status %d\n%s\nwritten:\n%s", status, text, all)
	}
	for _, typed := range []string{"100% Prod", "a/b", "a?b"} {
		b = newBeginner(t, few)
		text, status = b.init(nil, "--vault", typed, "--item", "Production", "--key-item", "Server")
		if all := b.written(); status != 2 || all != "" || !strings.Contains(text, "cannot be the name of a vault or an item here") {
			t.Errorf("%s: status %d\n%s\nwritten:\n%s", typed, status, text, all)
		}
	}
}

// Where op cannot say what there is, that is told in a line with what to do, once, and the
// questions are asked as ever.
func TestInit_WithoutAnOpThatAnswers(t *testing.T) {
	asked := [][2]string{{"vault in 1Password [MyApp]: ", "\n"}, {"secrets in 1Password [Production]: ", "\n"}, {"key in 1Password [Server]: ", "\n"}}
	for name, test := range map[string]struct{ op, told, hint string }{
		"not there":     {"", "op is not on the PATH: the vaults and items that you see cannot be listed", "install 1Password's CLI and sign in"},
		"not signed in": {signedOut, "listing the vaults: op vault list: You are not currently signed in.", "is the 1Password app unlocked, and is its CLI integration on? Or give the names"},
		"another op":    {"*) echo hello;;\n", "op vault list gave something else than JSON", "bring op up to date"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBeginner(t, test.op)
			text, status := b.init(asked)
			if status != 0 || strings.Count(text, "give the names that ") != 1 || !strings.Contains(text, test.told) || !strings.Contains(text, test.hint) {
				t.Errorf("status %d\n%s", status, text)
			}
			if all := b.written(); !strings.Contains(all, "--from MyApp/Production") {
				t.Errorf("written:\n%s", all)
			}
			if n := strings.Count(b.calls(), "\n"); n > 1 {
				t.Errorf("op was called %d times:\n%s", n, b.calls())
			}
		})
	}
}

// Ctrl-C ends init at a question, and while op keeps silent, and nothing is written.
func TestInit_CtrlC(t *testing.T) {
	for name, test := range map[string]struct{ op, at string }{
		"at a question":     {signedIn, "secrets in 1Password [Production]: "},
		"while op is quiet": {silent, "asking op what you have in 1Password"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBeginner(t, test.op)
			talk := [][2]string{{test.at, "\x03"}}
			if name == "at a question" {
				talk = slices.Insert(talk, 0, [2]string{"vault in 1Password [MyApp]: ", "\n"})
			}
			if text, status := b.init(talk); status != 130 || b.written() != "" {
				t.Errorf("status %d\n%s\nwritten:\n%s", status, text, b.written())
			}
		})
	}
}
