package native

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/testkit"
)

const version = "1.2.3"

// TestMain makes this program the kamal-op that the launcher downloads, too: it
// tells how it was called, and ends as FAKE says.
func TestMain(m *testing.M) {
	fake := os.Getenv("FAKE")
	if fake == "" {
		os.Exit(m.Run())
	}
	fmt.Printf("called %q in PATH %s\n", os.Args, os.Getenv("PATH"))
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "INPUT_") || strings.HasPrefix(entry, "STATE_") {
			fmt.Println("has", entry)
		}
	}
	switch fake {
	case "signal":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
		fmt.Println("ready")
		got := <-signals
		fmt.Println("got", got)
		os.Exit(128 + int(got.(syscall.Signal)))
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "mask":
		fmt.Println("::add-mask::a value")
	}
	var status int
	_, _ = fmt.Sscanf(fake, "exit %d", &status)
	os.Exit(status)
}

// A runner is a machine with a copy of the action, a tool cache, and a server that
// has the release.
type runner struct {
	t        *testing.T
	dir      string // the action's
	env      map[string]string
	server   *httptest.Server
	mu       sync.Mutex
	requests []string
	handler  http.Handler // what answers before the release's files
	archive  []byte
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	r := &runner{t: t, dir: filepath.Join(t.TempDir(), "native"), archive: archive(t)}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	scripts, err := filepath.Glob("../*/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		r.write(filepath.Join(r.dir, script), string(text))
	}
	r.release(fmt.Sprintf("%x", sha256.Sum256(r.archive)), fmt.Sprintf("%x", sha256.Sum256(program(t))))
	r.env = map[string]string{
		"PATH": r.file("path"), "RUNNER_TOOL_CACHE": r.file("cache"), "RUNNER_TEMP": r.file("temp"), "HOME": r.file("home"),
		"GITHUB_WORKSPACE": r.file("project"),
		"GITHUB_STATE":     r.file("state"), "GITHUB_OUTPUT": r.file("output"), "GITHUB_PATH": r.file("added"),
		"INPUT_COMMAND": "version", "INPUT_MIRROR": r.server.URL + "/v" + version + "/", "FAKE": "exit 0",
	}
	for _, name := range []string{"path", "project", "temp"} {
		if err := os.Mkdir(r.file(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// file is a path beside the action.
func (r *runner) file(name string) string { return filepath.Join(r.dir, "..", name) }

func (r *runner) write(path, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

func (r *runner) read(name string) string {
	text, _ := os.ReadFile(r.file(name))
	return string(text)
}

// release writes what the action's commit is a release of.
func (r *runner) release(archive, binary string) {
	r.t.Helper()
	text, err := json.Marshal(map[string]any{"version": version, "platforms": map[string]any{
		runtime.GOOS + "_" + runtime.GOARCH: map[string]string{"archive": archive, "binary": binary},
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(filepath.Join(r.dir, "release.json"), string(text))
}

func (r *runner) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, req.Method+" "+req.URL.String())
	handler := r.handler
	r.mu.Unlock()
	if handler != nil {
		handler.ServeHTTP(w, req)
		return
	}
	r.serveRelease(w, req)
}

func (r *runner) serveRelease(w http.ResponseWriter, req *http.Request) {
	if !strings.HasSuffix(req.URL.Path, "/"+releaseName()+".tar.gz") {
		http.NotFound(w, req)
		return
	}
	r.mu.Lock()
	archive := r.archive
	r.mu.Unlock()
	_, _ = w.Write(archive)
}

// answer has the server answer so from now on.
func (r *runner) answer(handler http.Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handler = handler
}

// pack has the server give this archive from now on.
func (r *runner) pack(archive []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.archive = archive
}

func (r *runner) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

func releaseName() string {
	return "kamal-op_" + version + "_" + runtime.GOOS + "_" + runtime.GOARCH
}

func program(t *testing.T) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// archive is a release's, with this program as the binary.
var archiveOnce = sync.OnceValue(func() []byte {
	var packed bytes.Buffer
	compressed, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	out := tar.NewWriter(compressed)
	self, _ := os.Executable()
	text, _ := os.ReadFile(self)
	for _, f := range []struct {
		name string
		text []byte
	}{{"LICENSE", []byte("terms")}, {"kamal-op", text}} {
		_ = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: releaseName() + "/" + f.name, Size: int64(len(f.text)), Mode: 0o755, Format: tar.FormatUSTAR})
		_, _ = out.Write(f.text)
	}
	_ = out.Close()
	_ = compressed.Close()
	return packed.Bytes()
})

func archive(t *testing.T) []byte {
	t.Helper()
	if text := archiveOnce(); len(text) > 1000 {
		return text
	}
	t.Fatal("the archive is empty")
	return nil
}

// A step is one run of the launcher.
type step struct {
	cmd *exec.Cmd
	out *testkit.Buffer
}

func (r *runner) start(script string) *step {
	r.t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		r.t.Fatal("node is needed: build/needs.sh node installs it")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	r.t.Cleanup(cancel)
	s := &step{cmd: exec.CommandContext(ctx, node, filepath.Join(r.dir, script)), out: new(testkit.Buffer)}
	for name, value := range r.env {
		s.cmd.Env = append(s.cmd.Env, name+"="+value)
	}
	s.cmd.Dir = r.env["GITHUB_WORKSPACE"]
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// ends waits for the step, and fails the test where it ends with another status or
// does not say all of this.
func (s *step) ends(t *testing.T, status int, says ...string) string {
	t.Helper()
	_ = s.cmd.Wait()
	log := s.out.String()
	if got := s.cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("status %d, not %d\n%s", got, status, log)
	}
	for _, want := range says {
		if !strings.Contains(log, want) {
			t.Errorf("it does not say %q\n%s", want, log)
		}
	}
	return log
}

// A binary is downloaded once, and then taken from the cache, where it still has its
// hash.
func TestLaunch_downloadsOnce(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.env["INPUT_SSH-KEY"] = "op://MyApp/Server"
	r.env["FAKE"] = "exit 7"
	binary := filepath.Join(r.file("cache"), "kamal-op", version, map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH], "kamal-op")
	called := fmt.Sprintf("called [%q \"action\"]", binary)
	r.start("launch.js").ends(t, 7, called, "has INPUT_SSH-KEY=op://MyApp/Server")
	r.start("launch.js").ends(t, 7, called)
	if want := "GET /v" + version + "/" + releaseName() + ".tar.gz"; len(r.asked()) != 1 || r.asked()[0] != want {
		t.Errorf("asked for %q, not %s", r.asked(), want)
	}
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho I am another\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if log := r.start("launch.js").ends(t, 7, called); strings.Contains(log, "another") || len(r.asked()) != 2 {
		t.Errorf("asked for %q\n%s", r.asked(), log)
	}
}

// Nothing runs that is not what the release is made of.
func TestLaunch_otherBytes(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(r *runner){
		"of the archive": func(r *runner) { r.pack(append(bytes.Clone(r.archive), 0)) },
		"of the binary":  func(r *runner) { r.release(fmt.Sprintf("%x", sha256.Sum256(r.archive)), strings.Repeat("0", 64)) },
		"without binary": func(r *runner) {
			var packed bytes.Buffer
			compressed := gzip.NewWriter(&packed)
			_ = compressed.Close()
			r.pack(packed.Bytes())
			r.release(fmt.Sprintf("%x", sha256.Sum256(r.archive)), strings.Repeat("0", 64))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			breaks(r)
			if log := r.start("launch.js").ends(t, 3, "::error::", "nothing of it was run"); strings.Contains(log, "called") {
				t.Error(log)
			}
			if r.read("state") != "" {
				t.Error("the post step is told of a step that has not begun")
			}
			r.start("post.js").ends(t, 0)
			_ = filepath.WalkDir(r.file("cache"), func(path string, entry os.DirEntry, err error) error {
				if err == nil && !entry.IsDir() {
					t.Errorf("kept: %s", path)
				}
				return nil
			})
		})
	}
}

// What the runner sends reaches the binary, once, and its status is the step's.
func TestLaunch_signals(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.env["FAKE"] = "signal"
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := r.start("launch.js")
		testkit.WaitFor(t, "the binary to be ready", func() bool { return strings.Contains(s.out.String(), "ready\n") })
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		s.ends(t, 128+int(sig), "got "+sig.String())
	}
	r.env["FAKE"] = "killed"
	r.start("launch.js").ends(t, 137)
}

// The post step runs the same binary under the name of the post step, where the main
// step has come to run it.
func TestPost(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if log := r.start("post.js").ends(t, 0); log != "" || len(r.asked()) != 0 {
		t.Errorf("asked for %q\n%s", r.asked(), log)
	}
	r.start("launch.js").ends(t, 0)
	name, value, _ := strings.Cut(strings.TrimSpace(r.read("state")), "=")
	r.env["STATE_"+name] = value
	r.env["FAKE"] = "exit 4"
	r.start("post.js").ends(t, 4, `called ["kamal-op-post"]`, "has STATE_"+name+"="+value)
	if len(r.asked()) != 1 {
		t.Errorf("asked for %q", r.asked())
	}
}

// What the binary tells the runner goes through as it is.
func TestLaunch_masks(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.env["FAKE"] = "mask"
	if log := r.start("launch.js").ends(t, 0); !strings.Contains(log, "\n::add-mask::a value\n") {
		t.Error(log)
	}
}

// Setup puts the binary on the PATH, and needs no Kamal.
func TestSetup(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.env["INPUT_COMMAND"] = ""
	if log := r.start("../setup/setup.js").ends(t, 0); log != "" {
		t.Error(log)
	}
	dir := strings.TrimSpace(r.read("added"))
	if out, err := exec.Command("env", "FAKE=exit 0", filepath.Join(dir, "kamal-op")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if want := "path=" + dir + "/kamal-op\nversion=" + version + "\n"; r.read("output") != want {
		t.Errorf("output %q, not %q", r.read("output"), want)
	}
}

// A commit that is no release has nothing to download: the PATH's kamal-op is taken.
func TestLaunch_noRelease(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	text, err := os.ReadFile("release.json")
	if err != nil {
		t.Fatal(err)
	}
	r.write(filepath.Join(r.dir, "release.json"), string(text))
	r.start("launch.js").ends(t, 3, "::error::this commit of the action is no release", "%0Ahint: ")
	r.write(filepath.Join(r.file("path"), "kamal-op"), string(program(t)))
	r.start("launch.js").ends(t, 0, "called")
	if len(r.asked()) != 0 {
		t.Errorf("asked for %q", r.asked())
	}
}
