//go:build linux && !race

package program

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/standin"
)

// awkwardValues are values that something on the way could change.
func awkwardValues() []string {
	return []string{
		"plain", " ", "\t", "\n", "a\n", "a\r\n", "\na", "a b", " a ", "'", `"`, "`id`", "$HOME", "${HOME}", "$(id)", `\`, `\n`, `\\`, "a=b", "=",
		"#", "a # b", "!x", "#{y}", "%2F", "%", "é", "e\u0301", "\u200b", "\ufeff", "🔑", "\x1b[0m", "\x7f", "\x01", "null", "true", "0", "{}", "op://MyApp/Production/V01",
		"-----BEGIN X-----\nab\n\n-----END X-----\n\n", "<>&\u2028", strings.Repeat("long'\n", 10<<10),
	}
}

// An accountStage is one set of vaults on Connect and on 1Password's own cloud, and
// the program with its core compiled.
type accountStage struct {
	t       *testing.T
	dir     string
	program string
	connect *standin.Vault
	cloud   *standin.Cloud
}

func newAccountStage(t *testing.T, vaults []standin.VaultSpec) *accountStage {
	t.Helper()
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		t.Fatal(err)
	}
	s := startAccountStage(t, program, vaults)
	if code, _, stderr := s.run(nil, "cache", "warm", s.path("core")); code != 0 {
		t.Fatal(stderr)
	}
	return s
}

// startAccountStage is a stage without a compiled core.
func startAccountStage(t *testing.T, program string, vaults []standin.VaultSpec) *accountStage {
	t.Helper()
	s := &accountStage{t: t, dir: t.TempDir(), program: program}
	var err error
	if s.connect, err = standin.StartVault(t.Context(), standin.VaultOptions{Vaults: vaults}); err != nil {
		t.Fatal(err)
	}
	if s.cloud, err = standin.StartCloud(t.Context(), standin.CloudOptions{Vaults: vaults}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.connect.Close()
		_ = s.cloud.Close()
	})
	if err := os.WriteFile(s.path("ca.pem"), s.cloud.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *accountStage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *accountStage) overConnect() []string {
	return []string{"OP_CONNECT_HOST=" + s.connect.URL(), "OP_CONNECT_TOKEN=" + s.connect.Token()}
}

func (s *accountStage) overCloud() []string {
	return []string{"OP_SERVICE_ACCOUNT_TOKEN=" + s.cloud.Token(), "HTTPS_PROXY=" + s.cloud.Proxy(), "SSL_CERT_FILE=" + s.path("ca.pem")}
}

// run runs the program to its end.
func (s *accountStage) run(env []string, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.program, args...)
	cmd.Dir = s.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // what it ended with is in its state
	if cmd.ProcessState == nil {
		s.t.Fatal("it was not started")
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestServiceAccount_ReadsWhatConnectReads: the program signs in with 1Password's own
// core, through the proxy and the authority of its environment, and a child has each
// value byte for byte, as over Connect.
func TestServiceAccount_ReadsWhatConnectReads(t *testing.T) {
	item := standin.ItemSpec{Title: "Production"}
	var want, args []string
	for n, value := range awkwardValues() {
		name := fmt.Sprintf("V%02d", n)
		item.Fields = append(item.Fields, standin.FieldSpec{Label: name, Value: value})
		want = append(want, name+"="+value)
		args = append(args, "--secret", name+"=op://MyApp/Production/"+name)
	}
	file := standin.FileSpec{Name: "ca.pem", Content: []byte("a file\r\n\n")}
	item.Files = []standin.FileSpec{file}
	want = append(want, "FILE="+string(file.Content))
	args = append(args, "--secret", "FILE=op://MyApp/Production/ca.pem")
	s := newAccountStage(t, []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{item, {Title: "Whole", Fields: []standin.FieldSpec{
		{Label: "WHOLE", Value: "of an item"}, {ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: "some notes"},
	}}}}})
	want = append(want, "WHOLE=of an item")
	args = append(args, "--secret", "op://MyApp/Whole")
	for name, env := range map[string][]string{"connect": s.overConnect(), "service account": s.overCloud()} {
		code, _, stderr := s.run(env, append(append([]string{"run", "--core-cache", s.path("core")}, args...), "--", "sh", "-c", "exec env -0 >values")...)
		if code != 0 {
			t.Fatalf("%s: %d\n%s", name, code, stderr)
		}
		text, err := os.ReadFile(s.path("values"))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(string(text), "\x00")
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: the child has no %.80q", name, w)
			}
		}
	}
	var asked []string
	for _, r := range s.cloud.Requests() {
		if r.Status != http.StatusOK {
			t.Errorf("%s %s: %d", r.Method, r.Path, r.Status)
		}
		asked = append(asked, r.Path)
	}
	// Of the SDK: four to sign in, the keys beside the first vault, the item again
	// before its file. Of ours: the vaults, their items, two items at once, a file.
	if len(asked) != 10 {
		t.Errorf("%d requests: %q", len(asked), asked)
	}
}

// TestServiceAccount_ReportsFaults: what 1Password answers, and when, ends a run as what it
// is, or is asked again.
func TestServiceAccount_ReportsFaults(t *testing.T) {
	s := newAccountStage(t, []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{{Title: "Production", Fields: []standin.FieldSpec{{Label: "A", Value: "the value of A"}}}}}})
	args := []string{"run", "--core-cache", s.path("core"), "--secret", "A=op://MyApp/Production/A", "--", "sh", "-c", `test "$A" = "the value of A"`}
	const signIn, vaults, keys, batch = "/auth/start", "/v1/vaults", "/keysets", "/items/batch"
	for _, test := range []struct {
		at     string
		status int
		times  int // that it is so; 0 is for ever
		code   int
		says   string
	}{
		{signIn, 429, 1, 0, ""},
		{signIn, 500, 1, 0, ""},
		{batch, 429, 1, 0, ""},
		{vaults, 503, 1, 0, ""},
		{keys, 500, 1, 0, ""},
		{vaults, 401, 1, 0, ""}, // the SDK signs in again
		{signIn, 401, 0, 125, "1Password refused the service account token"},
		{vaults, 403, 0, 125, "1Password refused access"},
		{batch, 401, 0, 125, "1Password refused the service account token"},
	} {
		t.Run(fmt.Sprintf("%s %d %d", strings.ReplaceAll(test.at, "/", " "), test.status, test.times), func(t *testing.T) {
			struck := 0
			s.cloud.SetFault(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, test.at) || test.times > 0 && struck >= test.times {
					return false
				}
				struck++
				w.WriteHeader(test.status)
				return true
			})
			code, _, stderr := s.run(s.overCloud(), args...)
			if code != test.code || !strings.Contains(stderr, test.says) || struck == 0 {
				t.Errorf("%d after %d times:\n%s", code, struck, stderr)
			}
			for _, secret := range []string{s.cloud.Token(), "the value of A", "wasm stack"} {
				if strings.Contains(stderr, secret) {
					t.Errorf("it says too much:\n%s", stderr)
				}
			}
		})
	}
}
