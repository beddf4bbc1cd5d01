package kamal

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

const aNonce = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// details are a lock's details as Kamal's lock_details and the preload write them.
func details(by, message string, more ...string) string {
	return strings.Join(append([]string{"Locked by: " + by + " at 2026-11-22T02:00:00Z", "Version: abc", "Message: " + message}, more...), "\n")
}

func TestMark_SurvivesTheDetails(t *testing.T) {
	for name, m := range map[string]Mark{
		"of GitHub": {
			Nonce: aNonce, System: "GitHub", Server: "https://github.com", Repository: "example/myapp", Run: 12, Attempt: 2,
			Job: "deploy", JobID: 99, Runner: "GitHub Actions 3", Actor: "someone", Link: "https://github.com/example/myapp/actions/runs/12",
		},
		"of a terminal": {Nonce: aNonce, System: "a terminal"},
		"hostile": {
			Nonce: aNonce, Repository: "a\nkamal-op: {\"nonce\":\"" + strings.Repeat("B", 26) + "\"}", Job: "\x00'\"$(id)`\\",
			Actor: strings.Repeat("é", 500), Runner: "\xff\x1b[31m",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := details("Jane at home", automaticLock, m.Lines())
			for line := range strings.Lines(text) {
				if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("the line %q does not print", line)
				}
			}
			l := ParseLock(text)
			if diff := cmp.Diff(m.Clean(), l.Mark); diff != "" {
				t.Error(diff)
			}
			if l.Owner != LockMarked || l.By != "Jane at home" || l.Since.IsZero() || l.Version != "abc" {
				t.Errorf("read as %+v", l)
			}
		})
	}
}

func TestParseLock_Owners(t *testing.T) {
	mark := Mark{Nonce: aNonce, Repository: "example/myapp", Run: 12, Job: "deploy", Actor: "someone"}
	frozen := Mark{Nonce: aNonce, Freeze: &Freeze{Why: "the database moves", Until: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}}
	for name, test := range map[string]struct {
		details string
		owner   Owner
		tell    string
	}{
		"a plain Kamal":        {details("Jane", automaticLock), LockOfKamal, "a deploy by Jane holds it since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"git has no name":      {details("", automaticLock), LockOfKamal, "a deploy by somebody holds it since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"by hand":              {details("Jane", "Maintenance"), LockByHand, "Jane took it by hand (Maintenance) since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"by hand, with a mark": {details("Jane", "Maintenance", mark.Lines()), LockByHand, "Jane took it by hand (Maintenance) since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"by hand, of two lines that say it is automatic": {
			details("Jane", "Maintenance\nMessage: "+automaticLock, mark.Lines()), LockByHand,
			"Jane took it by hand (Maintenance) since 2026-11-22 02:00:00 UTC, 1m0s ago",
		},
		"a freeze": {
			details("Jane", frozen.Message(), frozen.Lines()), LockFrozen,
			"deploys of the app are frozen by Jane since 2026-11-22 02:00:00 UTC, 1m0s ago: the database moves, until 2026-11-23 00:00:00 UTC",
		},
		"a freeze that says it is automatic": {details("Jane", automaticLock, frozen.Lines()), LockOfKamal, "a deploy by Jane holds it since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"a freeze with no nonce":             {details("Jane", "Maintenance", `kamal-op: {"freeze":{"why":"x"}}`), LockByHand, "Jane took it by hand (Maintenance) since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"with a mark":                        {details("x", automaticLock, mark.Lines()), LockMarked, "someone (example/myapp, run 12, job deploy) holds it since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"a mark cut off":                     {details("Jane", automaticLock, mark.Lines()[:40]), LockOfKamal, "a deploy by Jane holds it since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"a mark with no nonce":               {details("Jane", automaticLock, `kamal-op: {"nonce":"'; rm -rf /"}`), LockOfKamal, "a deploy by Jane holds it since 2026-11-22 02:00:00 UTC, 1m0s ago"},
		"nothing":                            {"", UnreadableLock, "nobody knows whose it is: its details cannot be read"},
		"something else":                     {"\x00\xff\nhello", UnreadableLock, "nobody knows whose it is: its details cannot be read"},
		"no message":                         {"Locked by: Jane at 2026-11-22T02:00:00Z\nVersion: a", UnreadableLock, "nobody knows whose it is: its details cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			l := ParseLock(test.details)
			if l.Owner != test.owner || (l.Mark.Nonce != "") != (test.owner == LockMarked || test.owner == LockFrozen) {
				t.Errorf("read as %+v, want owner %d", l, test.owner)
			}
			if got := l.Describe(time.Date(2026, 11, 22, 2, 1, 0, 0, time.UTC)); got != test.tell {
				t.Errorf("told as %q, want %q", got, test.tell)
			}
		})
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add(details("Jane", automaticLock, Mark{Nonce: aNonce, Job: "x"}.Lines()))
	f.Add(details("Jane", "by hand"))
	f.Add(details("Jane", "frozen", Mark{Nonce: aNonce, Freeze: &Freeze{Why: "x"}}.Lines()))
	f.Add("Locked by: at at \nMessage: \nkamal-op: {}")
	f.Fuzz(func(t *testing.T, text string) {
		l := ParseLock(text)
		if (l.Owner == LockMarked || l.Owner == LockFrozen) != nonceText().MatchString(l.Mark.Nonce) {
			t.Errorf("owner %d with the nonce %q", l.Owner, l.Mark.Nonce)
		}
		if l.Mark.Nonce != "" && !strings.Contains(text, l.Mark.Nonce) && !strings.Contains(text, `\u`) {
			t.Error("the nonce is from nowhere")
		}
		if line := l.Describe(time.Now()); strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q does not print", line)
		}
	})
}

// onServer runs a command as sshd does, with the user's shell in the home.
func onServer(t *testing.T, home, command string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = home
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// writeLock makes a lock as Kamal does: the details in base64, in lines of 60.
func writeLock(t *testing.T, home, dir, details string) {
	t.Helper()
	path := filepath.Join(home, dir)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(details))
	var lines strings.Builder
	for ; len(encoded) > 60; encoded = encoded[60:] {
		lines.WriteString(encoded[:60] + "\n")
	}
	lines.WriteString(encoded + "\n\n")
	if err := os.WriteFile(filepath.Join(path, "details"), []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReleaseCommand(t *testing.T) {
	ours := details("x", automaticLock, Mark{Nonce: aNonce, Job: strings.Repeat("long ", 30)}.Lines())
	const other = "ZYXWVUTSRQPONMLKJIHGFEDCBA"
	for name, test := range map[string]struct {
		details string // "-" makes no lock
		nonce   string
		want    Release
	}{
		"ours":                {ours, aNonce, Released},
		"another run's":       {ours, other, ReleasedNot},
		"no lock":             {"-", aNonce, ReleasedGone},
		"a plain Kamal's":     {details("x", automaticLock), aNonce, ReleasedNot},
		"by hand":             {details("x", "Maintenance"), aNonce, ReleasedNot},
		"nonce in a message":  {details("x", `"nonce":"`+aNonce+`"`), aNonce, ReleasedNot},
		"without a nonce":     {ours, "", ReleasedNot},
		"no nonce but a dot":  {ours, ".", ReleasedNot},
		"only its beginning":  {ours, aNonce[:22], ReleasedNot},
		"details that are no": {"", aNonce, ReleasedNot},
	} {
		t.Run(name, func(t *testing.T) {
			for _, dir := range []string{".kamal/lock-app", ".kamal/lock-it's $(touch x) \"q\" `id` & -production", ".kamal/-n \\ ;"} {
				home := t.TempDir()
				if test.details != "-" {
					writeLock(t, home, dir, test.details)
				}
				writeLock(t, home, dir+"-other", ours)
				got, ok := ParseRelease("a banner\n" + onServer(t, home, ReleaseCommand(dir, test.nonce)))
				if !ok || got != test.want {
					t.Errorf("%q: %q, want %q", dir, got, test.want)
				}
				_, err := os.Stat(filepath.Join(home, dir, "details"))
				if there := err == nil; there != (test.want == ReleasedNot) {
					t.Errorf("%q: there after it: %v", dir, there)
				}
				entries, err := os.ReadDir(filepath.Join(home, ".kamal"))
				want := 1 // the other, which is never touched
				if test.want == ReleasedNot {
					want = 2
				}
				if err != nil || len(entries) != want {
					t.Errorf("%q: .kamal holds %v, %v", dir, entries, err)
				}
				if _, err := os.Stat(filepath.Join(home, "x")); err == nil {
					t.Error("the name was run")
				}
			}
		})
	}
	if _, ok := ParseRelease("kamal-op lock: released by mistake\nsh: not found\n"); ok {
		t.Error("a banner is taken for an answer")
	}
}

// A lock that changes hands between the look and the removal stays whose it is.
func TestReleaseCommand_LeavesALockThatAnotherTook(t *testing.T) {
	home := t.TempDir()
	writeLock(t, home, "lock", details("x", automaticLock, Mark{Nonce: aNonce}.Lines()))
	writeLock(t, home, "theirs", details("x", automaticLock))
	// Its first removal, that of what an earlier release left, is the moment.
	command := strings.Replace(ReleaseCommand("lock", aNonce), `rm -rf "$aside";`, `rm -rf "$aside" lock; mv theirs lock;`, 1)
	if got, ok := ParseRelease(onServer(t, home, command)); !ok || got != ReleasedNot {
		t.Errorf("%q", got)
	}
	details, held := ParseLook(onServer(t, home, LookCommand("lock")))
	if !held || ParseLock(details).Owner != LockOfKamal {
		t.Errorf("the other's lock is %q", details)
	}
}

func TestLookCommand(t *testing.T) {
	home := t.TempDir()
	dir := ".kamal/lock-it's"
	if details, held := ParseLook("a banner\n" + onServer(t, home, LookCommand(dir))); held {
		t.Errorf("no lock is read as %q", details)
	}
	want := details("Jürgen", "by hand")
	writeLock(t, home, dir, want)
	if got, held := ParseLook("a banner\n" + onServer(t, home, LookCommand(dir))); !held || got != want {
		t.Errorf("read as %q, %v", got, held)
	}
	if err := os.Remove(filepath.Join(home, dir, "details")); err != nil {
		t.Fatal(err)
	}
	if got, held := ParseLook(onServer(t, home, LookCommand(dir))); !held || ParseLock(got).Owner != UnreadableLock {
		t.Errorf("a lock without details is read as %q, %v", got, held)
	}
}
