package kamal

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// forms are values as people write them who take a secrets file for a shell's: each is
// told that a shell and Kamal's dotenv read otherwise, and no other.
var forms = []struct {
	text string
	told bool
}{
	{"A=$$", true},
	{"A=$?", true},
	{"A=x$?", true},
	{"A=$!", true},
	{"A=$#", true},
	{"A=\"$#\"", true},
	{"A=$@", true},
	{"A=pa$$word", true},
	{"A='pa$$word'", false},
	{"A=pa\\$\\$word", false},
	{"A=<<<word", true},
	{"A=<<EOF\nhello\nEOF", true},
	{"A=<(echo hi)", true},
	{"A=(one two)", true},
	{"A=(one)", true},
	{"A=( one\n two )", true},
	{"A='(one two)'", false},
	{"A=$((1+2))", true},
	{"A=$[1+2]", true},
	{"A=\"$[1+2]\"", true},
	{"A=$(cat <<< hello)", true},
	{"A=$(cat <(echo hi))", true},
	{"A=$(<f)", true},
	{"A=$( < f )", true},
	{"A=$(cat < f)", false},
	{"A=$(bash -c 'cat <<< hello')", false},
	{"A=$([[ a == a ]] && echo yes)", true},
	{"A=$(x=(a b); echo ${x})", true},
	{"A=\"$(cat <<EOF\nhello it's\nEOF\n)\"", false},
	{"A=$(echo \"a)b\")", true},
	{"A=$(echo 'a(b)c')", false},
	{"A=$(echo it\\'s)", true}, // dotenv takes the backslash off
	{"A=\"$(echo 'a b' | tr a b)\"", false},
	{"A={k:$B}", true},
	{"A={k:${B}}", false},
	{"A=${{secrets.A}}", true},
	{"A=\"${{ secrets.A }}\"", true},
	{"A=one#two", true},
	{"A=$B#two", true},
	{"A=\"one#two\"", false},
	{"A=one # two", false},
	{"A=~/x", true},
	{"A=x~/y", false},
	{"A='it'\\''s'", true},
	{"A='it'\"'\"'s'", true},
	{"A=\"it's\"", false},
	{"export A=\"1\" C=\"2\"", true},
	{"export A=1 C=2", true},
	{"A=one\\\ntwo", true},
	{"A=\"one\ntwo\"", false},
	{"A=\"$(echo one \\\n two)\"", true},
	{"A=\"$(echo one \\\\\n two)\"", true}, // Kamal takes it for no command
	{"A=\"$(echo one |\n cat)\"", false},
	{"A=$B 2>/dev/null", true},
	{"A=$(cat nowhere 2>/dev/null) > /dev/null", true},
	{"A=\"$B > x\"", false},
	{"A=\"${B}x$B\"", false},
	{"A=http://u:${B}@h/p?q=1\\&r=2", false},
}

// shellNotes are the pieces that a file's A is told to have.
func shellNotes(text string) []Shell {
	var notes []Shell
	for _, d := range ParseSecrets("s", text, nil).Definitions {
		if d.Name == "A" {
			notes = append(notes, d.Shell...)
		}
	}
	return notes
}

func TestParseSecrets_MarksWhatOnlyAShellReads(t *testing.T) {
	for _, form := range forms {
		if notes := shellNotes("B=bee\n" + form.text + "\n"); (len(notes) > 0) != form.told {
			t.Errorf("%q: told is %v", form.text, notes)
		}
	}
}

// The table holds: Kamal's dotenv and bash give A another value where it says so.
func TestParseSecrets_MarksWhatDotenvReadsOtherwise(t *testing.T) {
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	const dotenv = `require "kamal"; require "json"
Kamal::Secrets
puts JSON.generate(ARGV.map { |file| Dotenv.parse(file, overwrite: true)["A"] })`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("of the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-W0", "-e", dotenv}
	var inShell []string
	for i, form := range forms {
		name := filepath.Join(dir, string(rune('a'+i/26))+string(rune('a'+i%26)))
		if err := os.WriteFile(name, []byte("B=bee\n"+form.text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
		shell := exec.Command("bash", "-c", `. "$0" >&2; printf %s "$A"`, name)
		shell.Dir = dir
		out, _ := shell.Output() // that it fails is its answer
		inShell = append(inShell, string(out))
	}
	ruby := exec.Command("ruby", args...)
	var stderr bytes.Buffer
	ruby.Dir, ruby.Stderr = dir, &stderr
	out, err := ruby.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var inKamal []string
	if err := json.Unmarshal(out, &inKamal); err != nil {
		t.Fatal(err)
	}
	for i, form := range forms {
		if (strings.TrimRight(inKamal[i], "\n") != inShell[i]) != form.told {
			t.Errorf("%q: Kamal has %q, a shell %q", form.text, inKamal[i], inShell[i])
		}
	}
}
