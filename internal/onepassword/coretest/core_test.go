//go:build !race

// Package coretest runs the SDK's real core, as far as it goes without an account:
// loading it cold and warm, malformed tokens, hosts that cannot be reached, and the
// check of references, against which ours is held. A core is loaded once in a
// process, so that each of these runs in a process of its own. Under the race
// detector one load takes half a minute; it is left out there.
package coretest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/mask"
)

// A job is what a process of its own does; report is what it tells.
type job struct {
	Do    string // load, warm, login
	Dirs  []string
	Own   string
	Token string
}

type report struct {
	From    string
	Seconds float64
	CPU     float64
	RSS     int // MiB at the peak
	Err     string
	Entries int
	Bytes   int64
	Texts   []string
}

const jobVariable = "KAMAL_OP_CORETEST"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(jobVariable); ok {
		var j job
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if err := json.NewEncoder(os.Stdout).Encode(j.run()); err != nil {
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func (j job) run() (r report) {
	began := time.Now()
	defer func() {
		r.Seconds = time.Since(began).Seconds()
		r.CPU, r.RSS = usage()
	}()
	fail := func(err error) report { r.Err = err.Error(); return r }
	switch j.Do {
	case "warm":
		w, err := onepassword.WarmCache(j.Dirs[0], false)
		if err != nil {
			return fail(err)
		}
		r.Entries, r.Bytes = w.Entries, w.Bytes
	case "load":
		s, err := onepassword.NewServiceAccount(onepassword.ServiceAccountOptions{Token: mask.NewSecret("token", token("a.1password.com")), CacheDirs: j.Dirs, OwnCache: j.Own})
		if err != nil {
			return fail(err)
		}
		s.Prewarm()
		if r.From, err = s.Ready(context.Background()); err != nil {
			return fail(err)
		}
		onepassword.Settle()
	case "login":
		s, err := onepassword.NewServiceAccount(onepassword.ServiceAccountOptions{Token: mask.NewSecret("token", j.Token), CacheDirs: j.Dirs})
		if err != nil {
			return fail(err)
		}
		resolver := onepassword.NewResolver(s, onepassword.Options{Deadline: 4 * time.Second})
		if _, err = resolver.Vaults(context.Background()); err != nil {
			r.Err = err.Error()
		}
	default:
		r.Err = "unknown job"
	}
	return r
}

// usage is the CPU time and the peak of resident memory of this process.
func usage() (seconds float64, mib int) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(text)[0])
			if err == nil {
				mib = kib >> 10
			}
		}
	}
	return cpuSeconds(), mib
}

// elsewhere runs a job in a process of its own.
func elsewhere(t *testing.T, j job, env ...string) report {
	t.Helper()
	return runBy(t, os.Args[0], j, env...)
}

// runBy runs a job by a program that was built from this package.
func runBy(t *testing.T, program string, j job, env ...string) report {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(append(os.Environ(), jobVariable+"="+string(text)), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", j, err)
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %q: %v", j, out, err)
	}
	return r
}

// token is a well-formed service account token for a host. Its parts open nothing.
func token(host string) string {
	text, err := json.Marshal(map[string]any{
		"signInAddress": host,
		"userAuth":      map[string]any{"method": "SRPg-4096", "alg": "PBES2g-HS256", "iterations": 650000, "salt": base64.RawURLEncoding.EncodeToString(make([]byte, 16))},
		"email":         "sample@1passwordserviceaccounts.com",
		"srpX":          strings.Repeat("5a", 32),
		"muk":           map[string]any{"alg": "A256GCM", "ext": true, "k": base64.RawURLEncoding.EncodeToString(make([]byte, 32)), "key_ops": []string{"encrypt", "decrypt"}, "kty": "oct", "kid": "mp"},
		"secretKey":     "A3-SAMPLE-SAMPLE-SAMPL-SAMPL-SAMPL-SAMPL",
		"deviceUuid":    strings.Repeat("a", 26),
	})
	if err != nil {
		panic(err)
	}
	return "ops_" + base64.RawURLEncoding.EncodeToString(text)
}

// private is a directory that WarmCache takes: t.TempDir lies in one that others
// may read, which is no matter, and is 0755 itself.
func private(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "core")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCache_Warm: a warmed cache serves the next process, and what can be wrong
// with it ends in the core being compiled. Who may change it is tested beside the
// code.
func TestCache_Warm(t *testing.T) {
	dir := private(t)
	warmed := elsewhere(t, job{Do: "warm", Dirs: []string{dir}})
	if warmed.Err != "" || warmed.Entries != 2 {
		t.Fatalf("warming: %+v", warmed)
	}
	t.Logf("warmed: %d entries, %.1f MB, %.2f s wall, %.2f s CPU, %d MiB", warmed.Entries, float64(warmed.Bytes)/1e6, warmed.Seconds, warmed.CPU, warmed.RSS)
	cold := elsewhere(t, job{Do: "load"})
	warm := elsewhere(t, job{Do: "load", Dirs: []string{filepath.Join(dir, "none"), dir}})
	if cold.Err != "" || cold.From != "" || warm.Err != "" || warm.From != dir {
		t.Fatalf("cold %+v, warm %+v", cold, warm)
	}
	t.Logf("cold: %.2f s wall, %.2f s CPU, %d MiB; warm: %.2f s wall, %.2f s CPU, %d MiB",
		cold.Seconds, cold.CPU, cold.RSS, warm.Seconds, warm.CPU, warm.RSS)
	// Times are for the benchmark; that it was no compile is plain.
	if warm.CPU > cold.CPU/3 {
		t.Errorf("warm took %.2f s of CPU time, cold %.2f", warm.CPU, cold.CPU)
	}

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	copied := func(t *testing.T, change func(name string, content []byte) []byte) string {
		to := private(t)
		for _, entry := range entries {
			content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if content = change(entry.Name(), content); content != nil {
				if err := os.WriteFile(filepath.Join(to, entry.Name()), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		return to
	}
	same := func(_ string, content []byte) []byte { return content }
	chmod := func(t *testing.T, path string, mode os.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		dir string
		env []string
	}{
		"another machine": {dir, []string{"GODEBUG=cpu.bmi1=off"}},
		"cut off":         {copied(t, func(_ string, c []byte) []byte { return c[:len(c)/2] }), nil},
		"a flipped bit":   {copied(t, func(_ string, c []byte) []byte { c[len(c)/3] ^= 1; return c }), nil},
		"another wazero":  {copied(t, func(_ string, c []byte) []byte { c[8]++; return c }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := os.ReadDir(test.dir)
			if err != nil {
				t.Fatal(err)
			}
			got := elsewhere(t, job{Do: "load", Dirs: []string{test.dir}}, test.env...)
			if got.Err != "" || got.From != "" {
				t.Errorf("%+v", got)
			}
			after, err := os.ReadDir(test.dir)
			if err != nil || len(after) != len(before) {
				t.Errorf("%d entries before, %d after: a run writes nothing", len(before), len(after))
			}
		})
	}
	t.Run("read-only and shared", func(t *testing.T) {
		d := copied(t, same)
		for _, e := range entries {
			chmod(t, filepath.Join(d, e.Name()), 0o444)
		}
		chmod(t, d, 0o555)
		if got := elsewhere(t, job{Do: "load", Dirs: []string{d}}); got.Err != "" || got.From != d {
			t.Errorf("%+v", got)
		}
		chmod(t, d, 0o700)
	})
}

// TestCache_Own: the first run keeps what it has compiled, the next takes it, and one
// that finds it spoiled puts it right.
func TestCache_Own(t *testing.T) {
	own := filepath.Join(private(t), "kamal-op", "core")
	loads := func(from string) {
		t.Helper()
		if got := elsewhere(t, job{Do: "load", Dirs: []string{filepath.Join(own, "none")}, Own: own}); got.Err != "" || got.From != from {
			t.Fatalf("%+v, want it from %q", got, from)
		}
		if entries, err := os.ReadDir(own); err != nil || len(entries) != 2 {
			t.Fatalf("%v, %v", entries, err)
		}
	}
	loads("")
	loads(own)
	entries, err := os.ReadDir(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if err := os.Truncate(filepath.Join(own, entry.Name()), 1000); err != nil {
			t.Fatal(err)
		}
	}
	loads("")
	loads(own)
}

func TestWarmCache_Refuses(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	parent := filepath.Join(t.TempDir(), "parent")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(parent, 0o777); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"":                            "no directory",
		open:                          "not this user's alone: its mode is 0755",
		filepath.Join(parent, "core"): "can be changed by others",
		os.Args[0]:                    "cannot be made",
	} {
		_, err := onepassword.WarmCache(dir, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", dir, err, want)
		}
	}
}

// TestLogin runs the real core as far as it goes without an account.
func TestLogin(t *testing.T) {
	dir := private(t)
	if r := elsewhere(t, job{Do: "warm", Dirs: []string{dir}}); r.Err != "" {
		t.Fatal(r.Err)
	}
	for name, test := range map[string]struct {
		token string
		env   []string
		want  string
	}{
		"a host that is not there":   {token("kamal-op-test.1password.com"), []string{"HTTPS_PROXY=http://127.0.0.1:1"}, "could not be reached"},
		"a host that is not allowed": {token("127.0.0.1"), nil, "does not allow the host"},
		"keys of another shape":      {broken(), nil, "refused the service account token"},
	} {
		t.Run(name, func(t *testing.T) {
			r := elsewhere(t, job{Do: "login", Token: test.token, Dirs: []string{dir}}, test.env...)
			if !strings.Contains(r.Err, test.want) || strings.Contains(r.Err, "\n") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// broken is a token that our check lets pass and the core does not.
func broken() string {
	text := `{"signInAddress":"a.1password.com","userAuth":{"a":1},"email":"a","srpX":"zz","muk":{"k":"a"},"secretKey":"A3-X","deviceUuid":"a"}`
	return "ops_" + base64.RawURLEncoding.EncodeToString([]byte(text))
}
