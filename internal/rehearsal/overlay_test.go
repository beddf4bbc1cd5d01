package rehearsal

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// newTestSession is a session with an SSH host and a registry, and no engine.
func newTestSession(t *testing.T) *session {
	t.Helper()
	s := &session{tell: newPrinter(nil), engine: &engine{arch: "amd64"}}
	s.made = artifacts{id: "0badcafe", service: "shop-rehearsal-0badcafe", dir: t.TempDir()}
	public, err := s.makeKey()
	if err != nil {
		t.Fatal(err)
	}
	if s.host, err = standin.StartSSHHost(t.Context(), standin.SSHHostOptions{AuthorizedKey: public, User: hostUser, Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if s.registry, err = standin.StartRegistry(t.Context(), standin.RegistryOptions{User: "u", Password: "p"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.host.Close(); err != nil {
			t.Error(err)
		}
		if err := s.registry.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func config(t *testing.T, text string) map[string]any {
	t.Helper()
	var raw map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	return raw
}

// moved is a configuration as Kamal will see it: less what is dropped, and with
// the overlay merged into it.
func moved(t *testing.T, raw map[string]any, o *overlay) map[string]any {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Drop [][]string
		Set  map[string]any
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	for _, path := range read.Drop {
		at := raw
		for _, key := range path[:len(path)-1] {
			at = asMap(at[key])
		}
		delete(at, path[len(path)-1])
	}
	return merge(raw, read.Set)
}

func merge(a, b map[string]any) map[string]any {
	merged := maps.Clone(a)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range b {
		if section, ok := value.(map[string]any); ok && asMap(merged[key]) != nil {
			value = merge(asMap(merged[key]), section)
		}
		merged[key] = value
	}
	return merged
}

func TestOverlay_MovesServers(t *testing.T) {
	s := newTestSession(t)
	for what, c := range map[string]struct{ servers, want string }{
		"a list":            {`["203.0.113.1", "203.0.113.2"]`, `["127.0.0.1"]`},
		"with tags":         {`[{"203.0.113.1": ["a", "b"]}, "203.0.113.2"]`, `[{"127.0.0.1": ["a", "b"]}]`},
		"roles":             {`{"web": ["203.0.113.1"], "jobs": {"hosts": ["203.0.113.2"], "cmd": "run"}}`, `{"web": ["127.0.0.1"], "jobs": {"hosts": ["127.0.0.1"], "cmd": "run"}}`},
		"a role of no host": {`{"web": ["203.0.113.1"], "jobs": []}`, `{"web": ["127.0.0.1"], "jobs": []}`},
	} {
		t.Run(what, func(t *testing.T) {
			raw := config(t, `{"service": "shop", "image": "i", "servers": `+c.servers+`}`)
			got := moved(t, raw, newOverlay(s, raw, map[string]any{}))
			if diff := cmp.Diff(config(t, `{"x": `+c.want+`}`)["x"], got["servers"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOverlay_MovesSettingsThatNameAServer(t *testing.T) {
	s := newTestSession(t)
	raw := config(t, `{"service": "shop", "servers": ["203.0.113.1", "app.example.com", "web"],
		"accessories": {"db": {"image": "d", "host": "203.0.113.2"}, "a": {"image": "a", "host": "203.0.113.3"}, "b": {"image": "b", "hosts": ["203.0.113.3"]}},
		"env": {"ONE": "203.0.113.1", "IN": "tcp://203.0.113.2:5432/x?at=app.example.com", "LONGER": "203.0.113.10 myapp.example.com 1203.0.113.1",
			"WORD": "web", "WORDS": "a web of", "TWO": "203.0.113.3", "NUMBER": 5}}`)
	got := moved(t, raw, newOverlay(s, raw, map[string]any{}))
	want := map[string]any{
		"ONE": "127.0.0.1", "IN": "tcp://shop-rehearsal-0badcafe-db:5432/x?at=127.0.0.1",
		"LONGER": "203.0.113.10 myapp.example.com 1203.0.113.1",
		"WORD":   "127.0.0.1", "WORDS": "a web of", "TWO": "127.0.0.1", "NUMBER": float64(5),
	}
	if diff := cmp.Diff(want, got["env"]); diff != "" {
		t.Error(diff)
	}
}

func TestOverlay_MovesAccessories(t *testing.T) {
	s := newTestSession(t)
	raw := config(t, `{"service": "shop", "servers": ["203.0.113.1"], "accessories": {
		"db": {"service": "shared-db", "image": "team/db", "registry": {"server": "registry.example.com", "username": "u", "password": ["P"]},
			"roles": ["web"], "port": "5432", "network": "other",
			"directories": ["data:/data", "/var/lib/db:/lib:z", {"local": "../up/$HOME", "remote": "/up"}],
			"options": {"publish": ["80:80", "127.0.0.1:53:53/udp"], "network-alias": "sql", "volume": "named:/n", "mount": "type=bind,src=/,dst=/host"},
			"proxy": {"host": "db.example.com", "ssl": true, "run": {"http_port": 80}}}}}`)
	o := newOverlay(s, raw, map[string]any{})
	got := asMap(asMap(moved(t, raw, o)["accessories"])["db"])
	want := config(t, `{"service": "shop-rehearsal-0badcafe-db", "image": "registry.example.com/team/db", "host": "127.0.0.1",
		"port": "127.0.0.1::5432", "labels": {"kamal-op.rehearsal": "0badcafe"},
		"directories": ["data:/data", "var/lib/db:/lib:z", {"local": "up/_HOME", "remote": "/up"}],
		"options": {"publish": ["127.0.0.1::80", "127.0.0.1::53/udp"], "network-alias": ["sql", "shared-db"],
			"volume": ["shop-rehearsal-0badcafe_named:/n"]},
		"proxy": {"host": "db.example.com", "ssl": false, "run": {"bind_ips": ["127.0.0.1"], "http_port": 0, "https_port": 0,
			"options": {"label": ["kamal-op.rehearsal=0badcafe"]}}}}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := strings.Join(o.lines(), "\n"); !strings.Contains(text, "mount is left out") || !strings.Contains(text, "without logging in") {
		t.Error(text)
	}
	if !slices.Contains(o.volumes, "shop-rehearsal-0badcafe_named") {
		t.Errorf("volumes: %v", o.volumes)
	}
}

func TestOverlay_KeepsVolumesApart(t *testing.T) {
	s := newTestSession(t)
	home := s.path("home", "volumes")
	o := &overlay{s: s}
	for theirs, want := range map[string]string{
		"storage:/s":                         s.made.service + "_storage:/s",
		"/srv/x:/s:ro":                       home + "/srv/x:/s:ro",
		"/:/host":                            home + ":/host",
		"/../../etc:/e":                      home + "/etc:/e",
		"$HOME/x:/s":                         home + "/_HOME/x:/s",
		"~/x:/s":                             home + "/_/x:/s",
		"/etc/localtime:/etc/localtime:ro":   "/etc/localtime:/etc/localtime:ro",
		"/anonymous":                         "/anonymous",
		"/var/run/docker.sock:/var/run/d.so": home + "/var/run/docker.sock:/var/run/d.so",
	} {
		got := o.volumeList([]any{theirs})
		if diff := cmp.Diff([]any{want}, got); diff != "" {
			t.Errorf("%s: %s", theirs, diff)
		}
		if theirs != "/anonymous" {
			if faults := s.beyond([]string{"--volume", want}); len(faults) > 0 {
				t.Errorf("%s is found to lead beyond: %v", want, faults)
			}
		}
	}
}

// A configuration that is all on loopback passes, and each way to lead beyond
// it is found, by itself.
func TestResolved_StopsAtWhatLeadsBeyond(t *testing.T) {
	s := newTestSession(t)
	fine := func() *resolved.Configuration {
		r := &resolved.Configuration{Service: s.made.service, Hosts: []string{"127.0.0.1"}, Reach: resolved.Reach{
			SSH:      resolved.SSH{User: hostUser, Port: strconv.Itoa(s.host.Port())},
			Registry: s.registry.Address(), HooksPath: s.path("hooks"),
		}}
		r.Builder.Driver = "docker"
		web := resolved.Role{Hosts: []string{"127.0.0.1"}, Proxy: &resolved.Proxy{Hosts: []string{"shop.example.com"}}}
		web.Args = []string{"--volume", s.made.service + "_x:/x", "--log-opt", `max-size="10m"`}
		if err := json.Unmarshal([]byte(`{"args": ["--volume", "$PWD/.kamal/proxy/apps-config:/a",
			"--publish 127.0.0.1:0:80 --publish 127.0.0.1:0:443"]}`), &web.Proxy.Run); err != nil {
			t.Fatal(err)
		}
		r.Roles = map[string]resolved.Role{"web": web}
		db := resolved.Accessory{Hosts: []string{"127.0.0.1"}}
		db.Args = []string{"--network", "kamal", "--publish", "127.0.0.1::5432"}
		r.Accessories = map[string]resolved.Accessory{"db": db}
		return r
	}
	if err := s.loopbackOnly(fine()); err != nil {
		t.Fatal(err)
	}
	role := func(change func(*resolved.Role)) func(*resolved.Configuration) {
		return func(r *resolved.Configuration) {
			web := r.Roles["web"]
			change(&web)
			r.Roles["web"] = web
		}
	}
	db := func(change func(*resolved.Accessory)) func(*resolved.Configuration) {
		return func(r *resolved.Configuration) {
			db := r.Accessories["db"]
			change(&db)
			r.Accessories["db"] = db
		}
	}
	web := func(args ...string) func(*resolved.Configuration) {
		return role(func(web *resolved.Role) { web.Args = args })
	}
	for what, change := range map[string]func(*resolved.Configuration){
		"no hosts":             func(r *resolved.Configuration) { r.Hosts = nil },
		"a host":               func(r *resolved.Configuration) { r.Hosts = append(r.Hosts, "203.0.113.1") },
		"a host name":          func(r *resolved.Configuration) { r.Hosts = []string{"localhost.example.com"} },
		"a role's host":        role(func(web *resolved.Role) { web.Hosts = []string{"10.0.0.1"} }),
		"an accessory's host":  db(func(db *resolved.Accessory) { db.Hosts = []string{"::2"} }),
		"an SSH proxy":         func(r *resolved.Configuration) { r.SSH.Proxy = true },
		"the SSH port":         func(r *resolved.Configuration) { r.SSH.Port = "22" },
		"SSH keys":             func(r *resolved.Configuration) { r.SSH.Keys = true },
		"the registry":         func(r *resolved.Configuration) { r.Registry = "ghcr.io" },
		"another registry":     db(func(db *resolved.Accessory) { db.Registry = "ghcr.io" }),
		"no registry":          func(r *resolved.Configuration) { r.Registry = "" },
		"a remote builder":     func(r *resolved.Configuration) { r.Builder.Remote = "ssh://x" },
		"a builder container":  func(r *resolved.Configuration) { r.Builder.Driver = "docker-container" },
		"a build cache":        func(r *resolved.Configuration) { r.Builder.Cached = true },
		"the log's output":     func(r *resolved.Configuration) { r.Output = true },
		"hooks":                func(r *resolved.Configuration) { r.HooksPath = ".kamal/hooks" },
		"the service's name":   func(r *resolved.Configuration) { r.Service = "shop" },
		"TLS":                  role(func(web *resolved.Role) { web.Proxy.TLS = true }),
		"the proxy's registry": role(func(web *resolved.Role) { web.Proxy.Run.Registry = "ghcr.io" }),
		"the proxy's port": role(func(web *resolved.Role) {
			web.Proxy.Run.Args = []string{"--publish 80:80 --publish 127.0.0.1:0:443"}
		}),
		"the proxy's defaults": role(func(web *resolved.Role) { web.Proxy.Run = nil }),
		"a port":               web("--publish", `"80:80"`),
		"a port of an address": web("--publish", "0.0.0.0:80:80"),
		"a port by =":          web("--publish=80:80"),
		"a port by -p":         web("-p", "80"),
		"all ports":            web("--publish-all"),
		"a folder":             web("--volume", `"/srv:/srv"`),
		"a folder above":       web("--volume", "$PWD/../x:/srv"),
		"another's volume":     web("-v", "postgres:/data"),
		"a mount":              web("--mount", "type=bind,src=/,dst=/host"),
		"the host's network":   web("--network", "host"),
		"a log driver":         web("--log-driver", "awslogs"),
		"privileges":           web("--privileged"),
	} {
		t.Run(what, func(t *testing.T) {
			r := fine()
			change(r)
			problems := problem.Of(s.loopbackOnly(r))
			if len(problems) != 1 || problem.Status(problems.Err()) != problem.Found {
				t.Errorf("found: %v", problems)
			}
		})
	}
}

func TestUsedNames(t *testing.T) {
	raw := config(t, `{"registry": {"username": "literal", "password": ["REGISTRY"]}, "builder": {"secrets": ["BUILD"]},
		"proxy": {"ssl": {"certificate_pem": "CERT", "private_key_pem": "KEY"}}, "ssh": {"key_data": ["SSH"]},
		"env": {"clear": {"A": "b"}, "secret": ["ONE", "AS:TWO"], "tags": {"t": {"secret": ["TAG"]}}},
		"servers": {"web": ["x"], "jobs": {"hosts": ["x"], "env": {"secret": ["JOBS"]}}},
		"accessories": {"db": {"registry": {"password": ["OTHER"]}, "env": {"secret": ["DB"]}}}}`)
	want := []string{"BUILD", "DB", "JOBS", "ONE", "REGISTRY", "TAG", "TWO"}
	if diff := cmp.Diff(want, usedNames(raw)); diff != "" {
		t.Error(diff)
	}
}

// What the project's own secrets files take from 1Password is in the vault, and
// what Kamal will get is known where it comes from one place.
func TestProjectSecrets_FillTheVault(t *testing.T) {
	s := newTestSession(t)
	s.opts = Options{Project: t.TempDir(), Destination: "production", Values: map[string]string{
		"DATABASE_PASSWORD": "given", "READ": "given too", "FROM_ENV": "given as well",
	}}
	write(t, s.opts.Project, ".kamal/secrets-common", "READ=$(op read op://Team/Other/sec/label)\nALIAS=$FROM_ENV\n")
	write(t, s.opts.Project, ".kamal/secrets.production", `SECRETS=$(kamal secrets fetch --adapter 1password --account a --from MyApp/Production DATABASE_PASSWORD RAILS_MASTER_KEY)
DATABASE_PASSWORD=$(kamal secrets extract DATABASE_PASSWORD ${SECRETS})
RAILS_MASTER_KEY=$(kamal secrets extract MyApp/Production/RAILS_MASTER_KEY $SECRETS)
ALL=$(kamal secrets fetch --adapter 1password --account a --from MyApp/Whole)
ONE=$(kamal secrets extract ONE $ALL)
SAME=$ONE
BUILT=postgres://u:$DATABASE_PASSWORD@db
LITERAL=plain
`)
	raw := config(t, `{"service": "shop", "env": {"secret": ["DATABASE_PASSWORD", "RAILS_MASTER_KEY", "ONE", "SAME", "READ", "ALIAS", "BUILT", "LITERAL"]}}`)
	p, err := s.readSecrets(raw)
	if err != nil {
		t.Fatal(err)
	}
	if p.replaced != "" {
		t.Fatal(p.replaced)
	}
	if diff := cmp.Diff([]string{"FROM_ENV=op://Rehearsal/Secrets/FROM_ENV"}, p.declared); diff != "" {
		t.Error(diff)
	}
	there := map[string]string{} // vault/item[/section]/label to value
	for _, vault := range p.vaults("the key") {
		for _, item := range vault.Items {
			for _, f := range item.Fields {
				there[strings.ReplaceAll(vault.Name+"/"+item.Title+"/"+f.Section+"/"+f.Label, "//", "/")] = f.Value
			}
		}
	}
	for place, want := range map[string]string{
		"MyApp/Production/DATABASE_PASSWORD": "given", "Team/Other/sec/label": "given too",
		"Rehearsal/Secrets/FROM_ENV": "given as well", "Rehearsal/Server/SSH_KEY": "the key",
	} {
		if got := there[place]; got != want {
			t.Errorf("%s is %q, want %q", place, got, want)
		}
	}
	for name, want := range map[string]string{
		"DATABASE_PASSWORD": "given", "READ": "given too", "ALIAS": "given as well",
		"RAILS_MASTER_KEY": there["MyApp/Production/RAILS_MASTER_KEY"], "ONE": there["MyApp/Whole/ONE"], "SAME": there["MyApp/Whole/ONE"],
	} {
		if got, known := p.value(name); !known || got != want || got == "" {
			t.Errorf("%s: %q, %v, want %q", name, got, known, want)
		}
	}
	for _, name := range []string{"BUILT", "LITERAL", "NOWHERE"} {
		if got, known := p.value(name); known {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestProjectSecrets_AskNobodyElse(t *testing.T) {
	for what, text := range map[string]string{
		"a command":       "A=$(cat config/master.key)\n",
		"another adapter": "S=$(kamal secrets fetch --adapter bitwarden --account a A)\nA=$(kamal secrets extract A $S)\n",
		"an unknown name": "A=$(op read op://$VAULT/x/y)\n",
		"a pipeline":      "A=$(op read op://v/x/y | head -1)\n",
	} {
		t.Run(what, func(t *testing.T) {
			s := newTestSession(t)
			s.opts.Project = t.TempDir()
			write(t, s.opts.Project, ".kamal/secrets", text)
			p, err := s.readSecrets(config(t, `{"service": "shop", "env": {"secret": ["A"]}}`))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(p.replaced, ".kamal/secrets:") || len(p.declared) != 1 {
				t.Errorf("replaced %q, declared %v", p.replaced, p.declared)
			}
			if _, known := p.value("A"); !known {
				t.Error("its value is not known")
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzSplitPublish(f *testing.F) {
	for _, text := range []string{"80", "80:80", "127.0.0.1:80:80", "[::1]:80:80", "127.0.0.1::80/udp", ":80:80", "::"} {
		f.Add(text)
	}
	s := &session{}
	o := &overlay{s: s}
	f.Fuzz(func(t *testing.T, text string) {
		address, container := splitPublish(o.publish(text))
		if !isLoopback(address) || !strings.HasSuffix(text, container) || strings.Contains(container, ":") {
			t.Errorf("%q is published at %q for %q", text, address, container)
		}
	})
}

// Whoever reads the configuration without running Ruby still finds the secrets
// files and the service.
func TestOverlay_DescribesItsChangesPlainly(t *testing.T) {
	s := newTestSession(t)
	s.opts = Options{Project: t.TempDir()}
	if err := os.MkdirAll(s.path("config"), 0o700); err != nil {
		t.Fatal(err)
	}
	raw := config(t, `{"service": "shop", "image": "i", "servers": ["203.0.113.1"], "secrets_path": "elsewhere"}`)
	o := newOverlay(s, raw, map[string]any{})
	o.scalar("secrets_path", s.path("config", "secrets"))
	if err := s.writeConfig(o); err != nil {
		t.Fatal(err)
	}
	read, err := kamal.ReadConfig(kamal.ProjectOptions{Dir: s.opts.Project, ConfigFile: s.path("config", "deploy.yml")})
	if err != nil {
		t.Fatal(err)
	}
	if read.SecretsPath.Text != s.path("config", "secrets") || read.Service.Text != s.made.service || read.HooksPath.Text != s.path("hooks") {
		t.Errorf("secrets path %+v, service %+v, hooks %+v", read.SecretsPath, read.Service, read.HooksPath)
	}
}
