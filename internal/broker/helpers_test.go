package broker_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/mask"
)

// A run is a broker over a vault that speaks Connect, and what it told.
type run struct {
	*broker.Broker
	t        *testing.T
	vault    *standin.Vault
	resolver *onepassword.Resolver
	project  string
	env      []string

	mu     sync.Mutex
	events []broker.Event
	masked []string
}

// item is a field-label-to-value map of an item, in the order of the labels.
type item map[string]string

func (i item) spec(title string) standin.ItemSpec {
	spec := standin.ItemSpec{Title: title}
	for _, label := range slices.Sorted(maps.Keys(i)) {
		section, name, ok := strings.Cut(label, "/")
		field := standin.FieldSpec{Label: label, Type: "CONCEALED", Value: i[label]}
		if ok {
			field.Label, field.Section = name, section
			if !slices.ContainsFunc(spec.Sections, func(s standin.SectionSpec) bool { return s.Label == section }) {
				spec.Sections = append(spec.Sections, standin.SectionSpec{Label: section})
			}
		}
		spec.Fields = append(spec.Fields, field)
	}
	return spec
}

// start starts a run of a project whose files are given, with the vault MyApp
// that holds the items.
func start(t *testing.T, files map[string]string, items map[string]item, change ...func(*broker.Options)) *run {
	t.Helper()
	spec := standin.VaultSpec{Name: "MyApp"}
	for _, title := range slices.Sorted(maps.Keys(items)) {
		spec.Items = append(spec.Items, items[title].spec(title))
	}
	other := standin.VaultSpec{Name: "Private", Items: []standin.ItemSpec{item{"password": "not-for-this-run"}.spec("Own")}}
	vault, err := standin.StartVault(context.Background(), standin.VaultOptions{Vaults: []standin.VaultSpec{spec, other}})
	if err != nil {
		t.Fatal(err)
	}
	backend, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: vault.URL(), Token: mask.NewSecret("token", vault.Token())})
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, vault: vault, project: t.TempDir(), resolver: onepassword.NewResolver(backend, onepassword.Options{})}
	for name, text := range files {
		path := filepath.Join(r.project, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	// A short path, for the socket, and a private one.
	dir, err := os.MkdirTemp("/tmp", "broker")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := broker.Options{
		ListenOptions: broker.ListenOptions{Dir: dir, Executable: self, Notify: func(e broker.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		}},
		Vault: r.resolver,
		Mask: func(secrets []mask.Secret) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, s := range secrets {
				r.masked = append(r.masked, s.Reveal())
			}
			return nil
		},
	}
	for _, c := range change {
		c(&o)
	}
	if o.Project == nil {
		if _, err := os.Stat(filepath.Join(r.project, kamal.DefaultConfigFile)); err == nil {
			o.Project, err = kamal.OpenProject(kamal.ProjectOptions{Dir: r.project, Destination: destination(files)})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Broker, err = broker.Listen(context.Background(), o.ListenOptions)
	if err != nil {
		t.Fatal(err)
	}
	r.Open(o)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		_ = backend.Close()
		_ = vault.Close()
		_ = os.RemoveAll(dir)
	})
	base := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8"}
	if lib := os.Getenv("RUBYLIB"); lib != "" {
		base = append(base, "RUBYLIB="+lib) // another dotenv than the system's
	}
	if testing.CoverMode() != "" {
		base = append(base, "GOCOVERDIR="+t.TempDir()) // or op, which is this binary, would warn
	}
	r.env = slices.Concat(base, r.Environment(base))
	return r
}

// destination is that of a project whose files have one.
func destination(files map[string]string) string {
	if _, ok := files["config/deploy.production.yml"]; ok {
		return "production"
	}
	return ""
}

// command runs a program in the run's environment.
func (r *run) command(stdin, name string, args ...string) (stdout, stderr string, status int) {
	r.t.Helper()
	cmd := exec.Command(name, args...)
	if !strings.Contains(name, "/") {
		for _, entry := range slices.Backward(r.env) {
			if path, ok := strings.CutPrefix(entry, "PATH="); ok {
				for _, dir := range filepath.SplitList(path) {
					if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
						cmd.Path, cmd.Err = filepath.Join(dir, name), nil
						break
					}
				}
				break
			}
		}
	}
	var out, errs bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.env, r.project, strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// op runs the `op` of the run.
func (r *run) op(args ...string) (stdout, stderr string, status int) {
	r.t.Helper()
	return r.command("", "op", args...)
}

// told reports whether an event of the kind has the text.
func (r *run) told(kind broker.EventKind, text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.events, func(e broker.Event) bool {
		return e.Kind == kind && strings.Contains(e.Message+"\n"+e.Hint, text)
	})
}

// isMasked reports whether a value was given to the masker.
func (r *run) isMasked(value string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.masked, value)
}
