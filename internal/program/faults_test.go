//go:build linux

package program

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// said is what a command of the program prints on its two streams.
func (s *stage) said(env []string, args ...string) (stdout, stderr string) {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // with whatever status
	return out.String(), errs.String()
}

// The check of a stranger's pull request prints no command of theirs.
func TestCheckOffline_PrintsNoCommandOfAStranger(t *testing.T) {
	s := newStage(t, "")
	deploy := "service: shop\nimage: a/b\nservers: [192.0.2.1]\nregistry: {username: x, password: [\"A\\n::stop-commands::x\\n##[group]y\\e]0;t\\a\\e[2J\"]}\n"
	if err := os.WriteFile(filepath.Join(s.dir, "config/deploy.yml"), []byte(deploy), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "json", "sarif"} {
		out, errs := s.said([]string{"GITHUB_ACTIONS=true"}, "check", "--offline", "--format", format)
		if !strings.Contains(out, "stop-commands") {
			t.Errorf("%s does not show the name: %s", format, errs)
		}
		for _, command := range []string{"\n::stop-commands", "##[", "\x1b"} {
			if strings.Contains(out+errs, command) {
				t.Errorf("%s has %q:\n%s%s", format, command, out, errs)
			}
		}
	}
}

// A plain log is read by Azure or TeamCity as well.
func TestPlainLog_HasNoCommandOfAzureOrTeamCity(t *testing.T) {
	s := newStage(t, "echo '##vso[task.setvariable variable=x]y ##teamcity[setParameter]'\n")
	for _, env := range []string{"TF_BUILD=True", "TEAMCITY_VERSION=2026.1", "CI=true"} {
		out, _ := s.said([]string{env}, "deploy", "--", "-P")
		if !strings.Contains(out, `##vso\[task.setvariable variable=x]y ##teamcity\[setParameter]`) {
			t.Errorf("%s: %q", env, out)
		}
	}
}

// What a child asks the runner to mask is passed on to one that obeys; elsewhere the
// line is dropped with a word.
func TestRun_TakesAChildsMask(t *testing.T) {
	s := newStage(t, "")
	script := "echo ::add-mask::a-session-token; echo the token is a-session-token"
	out, errs := s.said([]string{"GITHUB_ACTIONS=true"}, "run", "--", "sh", "-c", script)
	if out != "the token is ***\n" || !strings.Contains(errs, "::add-mask::a-session-token\n") {
		t.Errorf("GitHub: %q, %q", out, errs)
	}
	out, errs = s.said([]string{"GITLAB_CI=true"}, "run", "--", "sh", "-c", script)
	if out != "the token is ***\n" || strings.Contains(errs, "a-session-token") || !strings.Contains(errs, "asks to have a value masked") {
		t.Errorf("GitLab: %q, %q", out, errs)
	}
}

// A server's output cannot have anything masked.
func TestKamal_ServersMaskNothing(t *testing.T) {
	s := newStage(t, "echo ::add-mask::deploying; echo still deploying\n")
	out, errs := s.said([]string{"GITHUB_ACTIONS=true"}, "deploy", "--", "-P")
	if !strings.Contains(out, "still deploying") || strings.Contains(out+errs, "::add-mask::deploying") {
		t.Errorf("%q, %q", out, errs)
	}
}

// A descriptor that the shell has left open is no way past the masker.
func TestRun_ClosesInheritedDescriptors(t *testing.T) {
	s := newStage(t, "")
	script := `for fd in 3 4 5 6; do echo "$A" 2>/dev/null >&$fd && echo wrote $fd; done 2>/dev/null; cat <&7; true`
	for keep, want := range map[string]string{"": "read\n", "4": "wrote 4\nread\n"} {
		dir := t.TempDir()
		cmd := s.command("run", "--", "sh", "-c", script)
		cmd.Env = append(cmd.Env, "KAMAL_OP_KEEP_FD="+keep)
		file := func(name string, flag int) *os.File {
			f, err := os.OpenFile(filepath.Join(dir, name), flag, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return f
		}
		if err := os.WriteFile(filepath.Join(dir, "in"), []byte("read\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		log, append_, both := file("log", os.O_CREATE|os.O_WRONLY), file("log", os.O_APPEND|os.O_WRONLY), file("both", os.O_CREATE|os.O_RDWR)
		cmd.ExtraFiles = []*os.File{writer, log, append_, both, file("in", os.O_RDONLY)}
		out, err := cmd.Output()
		_ = writer.Close()
		piped, _ := io.ReadAll(reader)
		_ = reader.Close()
		if err != nil || string(out) != want || len(piped) > 0 {
			t.Errorf("--keep-fd %q: %q and %d bytes in the pipe, %v", keep, out, len(piped), err)
		}
		if written, _ := os.ReadFile(filepath.Join(dir, "log")); (len(written) > 0) != (keep != "") {
			t.Errorf("--keep-fd %q: %d bytes in the log", keep, len(written))
		}
	}
}

// `2>&1 | tee deploy.log` writes no value to the disk.
func TestTee_GetsNoMaskCommand(t *testing.T) {
	s := newStage(t, "")
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "deploy.log")
	run := func(script string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script, program, log)
		cmd.Dir, cmd.Env = s.dir, append(s.env, "GITHUB_ACTIONS=true", "GITHUB_RUN_ID=42")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	for _, script := range []string{`"$0" run -- true 2>&1 | tee "$1"`, `"$0" run -- true 2>"$1"`} {
		run(script)
		text, err := os.ReadFile(log)
		if err != nil || strings.Contains(string(text), "add-mask") || strings.Count(string(text), "GitHub is not told what to mask") != 1 {
			t.Errorf("%s: %v\n%s", script, err, text)
		}
	}
	// Where nobody of the job is seen to read, the runner is told.
	if out := run(`"$0" run -- true`); !strings.Contains(out, "::add-mask::") {
		t.Errorf("the runner is not told: %s", out)
	}
}

// Values that are not masked, or that blank much of the log, are told by name.
func TestValues_ThatAreShortOrNoisyAreTold(t *testing.T) {
	s := newStage(t, "")
	if err := s.vault.SetField("MyApp", "Production", "A", "dev"); err != nil {
		t.Fatal(err)
	}
	if _, errs := s.said(nil, "run", "--", "true"); !strings.Contains(errs, "A is ") || !strings.Contains(errs, "not masked") {
		t.Errorf("a short value: %s", errs)
	}
	if err := s.vault.SetField("MyApp", "Production", "A", "deploy"); err != nil {
		t.Fatal(err)
	}
	if _, errs := s.said([]string{"GITHUB_ACTIONS=true"}, "run", "--", "true"); !strings.Contains(errs, "::notice::A is a common word") || strings.Contains(errs, "notice::A is deploy") {
		t.Errorf("a noisy value: %s", errs)
	}
}

// A lookup that fails is told, though whoever made it says nothing.
func TestLookups_ThatFailAreTold(t *testing.T) {
	s := newStage(t, "op read op://MyApp/Production/NOPE 2>/dev/null || true\nop read op://Other/x/y 2>/dev/null || true\n")
	summary := filepath.Join(t.TempDir(), "summary")
	for name, args := range map[string][]string{"the log": {"deploy", "--", "-P"}, "events": {"deploy", "--json", "--", "-P"}} {
		out, errs := s.said([]string{"GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=" + summary}, args...)
		for _, want := range []string{"op read op://MyApp/Production/NOPE: ", "op read op://Other/x/y: "} {
			if strings.Count(out+errs, want) != 1 {
				t.Errorf("%s tells %q %d times:\n%s%s", name, want, strings.Count(out+errs, want), out, errs)
			}
		}
	}
	page, err := os.ReadFile(summary)
	if err != nil || !strings.Contains(string(page), "### Refused") || !strings.Contains(string(page), "op://MyApp/Production/NOPE") {
		t.Errorf("the summary: %v\n%s", err, page)
	}
}
