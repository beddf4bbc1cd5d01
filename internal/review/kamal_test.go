package review_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// needKamal skips without -kamal.
func needKamal(t *testing.T) {
	t.Helper()
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
}

// A kamalProject is a folder with a project that real Kamal reads.
type kamalProject struct {
	t   *testing.T
	dir string
}

func newKamalProject(t *testing.T, files map[string]string) kamalProject {
	t.Helper()
	p := kamalProject{t: t, dir: t.TempDir()}
	for name, text := range files {
		path := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// config is what `kamal config` writes with the Ruby that a review has it require.
func (p kamalProject) config(preload string, env []string, args ...string) []byte {
	p.t.Helper()
	ruby := filepath.Join(p.t.TempDir(), "preload.rb")
	if err := os.WriteFile(ruby, []byte(preload), 0o600); err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), *realKamal, append([]string{"config"}, args...)...)
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), env...), "RUBYOPT=-r"+ruby)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("kamal config: %v\n%s%s", err, out, errors.String())
	}
	return out
}

func (p kamalProject) production() []byte {
	return p.config(resolved.Preload, nil, "--version", "abc")
}

func (p kamalProject) preview(a review.App) []byte {
	return p.config(review.LabelsPreload+resolved.Preload, a.Env(), a.Args()...)
}

func parsed(t *testing.T, text []byte) resolved.Configuration {
	t.Helper()
	r, err := resolved.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const shopYML = `service: shop
image: acme/shop
servers:
  web:
    hosts: [192.0.2.1]
  job:
    hosts: [192.0.2.2]
    cmd: bin/jobs
proxy:
  host: shop.example.com
  ssl: true
  healthcheck: {path: /health}
registry: {server: "127.0.0.1:5000", username: u, password: [KAMAL_REGISTRY_PASSWORD]}
builder: {arch: amd64}
env:
  clear: {RAILS_ENV: production}
volumes:
  - shop_storage:/storage
  - /etc/ssl:/etc/ssl:ro
accessories:
  db:
    image: postgres:16
    host: 192.0.2.1
    port: "127.0.0.1:5432:5432"
    directories: ["data:/var/lib/postgresql/data"]
`

// carelessYML takes what is production's with the merge.
const carelessYML = `service: <%= ENV.fetch("REVIEW_SERVICE") %>
proxy:
  host: <%= ENV.fetch("REVIEW_HOST") %>
  ssl: false
`

// The files in testdata/resolved are what real Kamal makes of these projects.
func TestKamal_ResolvedAsInTheTests(t *testing.T) {
	needKamal(t)
	overlay := strings.NewReplacer("# volumes:", "volumes:", "#   - <%=", "  - <%=", "# accessories:", "accessories:", "#   db:", "  db:", "#     port", "    port").Replace(review.Overlay)
	p := newKamalProject(t, map[string]string{"config/deploy.yml": shopYML, "config/deploy.review.yml": overlay})
	careless := newKamalProject(t, map[string]string{"config/deploy.yml": shopYML, "config/deploy.review.yml": carelessYML})
	for name, got := range map[string][]byte{
		"production": p.production(), "preview": p.preview(app(t, 12)), "preview-careless": careless.preview(app(t, 12)),
	} {
		file := "testdata/resolved/" + name + ".txt"
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || string(want) != string(got) {
			t.Errorf("%s: %v\nhas  %s\nKamal gives %s", file, err, want, got)
		}
	}
}

// Each way in which a configuration can have a container reach what is not the
// preview's own: as Kamal merges it, quotes it and runs it.
func TestKamal_RefusesWhatIsNotThePreviewsOwn(t *testing.T) {
	needKamal(t)
	production := strings.Replace(shopYML, "    hosts: [192.0.2.1]\n", `    hosts: [192.0.2.1]
    options:
      volume: ["/:/host", "/var/run/docker.sock:/var/run/docker.sock/"]
      publish: ["8080:80"]
      privileged: true
      cap-add: [NET_ADMIN]
`, 1)
	production = strings.Replace(production, "ssl: true", "ssl: true\n  run: {options: {volume: /certs:/certs}, registry: mirror.example}", 1)
	preview := carelessYML + `  run: {options: {volume: /other:/other, pid: host}}
volumes: ["<%= ENV["REVIEW_SERVICE"] %>_storage:/storage", "foreign:/f", "$PWD/shop-db/data/:/d"]
servers:
  job:
    options: {"mount=type=bind,src=/,dst=/m": true, network: host, memory: 512m, "env A --userns": host, label: "service=shop"}
  cron:
    hosts: [192.0.2.1]
    cmd: bin/cron; touch /pwned
accessories:
  db:
    port: "127.0.0.1::5432"
    volumes: ["/srv:/srv"]
    files: ["deploy.yml:/../../etc/passwd"]
    directories: ["/data:/data", "data:/var/lib/postgresql/data"]
    network: "kamal --ipc host"
    options: {security-opt: "seccomp=unconfined", volumes-from: shop-db, add-host: "db:10.0.0.1", mount: "type=bind,src=/${X:+,src=shop-pr-12/x},dst=/m", publish: "80:80${X:+::80}", label: "ser${X:+x}vice=shop"}
`
	p := newKamalProject(t, map[string]string{"config/deploy.yml": production, "config/deploy.review.yml": preview})
	of := parsed(t, p.production())
	err := review.Safety{}.Check(app(t, 12), parsed(t, p.preview(app(t, 12))), &of)
	want := `the preview's role cron is not one docker run: there is a ';' outside of quotes
the preview's role job would run with --volume foreign:/f, which is not its own
the preview's role job would run with --volume $PWD/shop-db/data/:/d, which is not its own
the preview's role job would run with --mount type=bind,src=/,dst=/m, which is not its own
the preview's role job would run with --network host, which is not its own
the preview's role job would run with --userns host, which is not its own
the label service of the preview's role job is "shop", not "shop-pr-12"
the preview's role web would run with --volume foreign:/f, which is not its own
the preview's role web would run with --volume $PWD/shop-db/data/:/d, which is not its own
the preview's role web would run with --volume /:/host, which is not its own
the preview's role web would run with --volume /var/run/docker.sock:/var/run/docker.sock/, which is not its own
the preview's role web would run with --publish 8080:80, which is not its own
the preview's role web would run with --privileged, which is not its own
the preview's role web would run with --cap-add NET_ADMIN, which is not its own
the preview's accessory db would run with --ipc host, which is not its own
the preview's accessory db would run with --volume /srv:/srv, which is not its own
the preview's accessory db would run with --volume $PWD/shop-pr-12-db/../../etc/passwd:/../../etc/passwd, which is not its own
the preview's accessory db would run with --volume /data:/data, which is not its own
the preview's accessory db would run with --security-opt seccomp=unconfined, which is not its own
the preview's accessory db would run with --volumes-from shop-db, which is not its own
the preview's accessory db would run with --add-host db:10.0.0.1, which is not its own
the preview's accessory db would run with --mount type=bind,src=/${X:+,src=shop-pr-12/x},dst=/m, which is not its own
the preview's accessory db would run with --publish 80:80${X:+::80}, which is not its own
the preview's accessory db would run with --label ser${X:+x}vice, which is not its own
the preview's kamal-proxy would run with --volume /other:/other, which is not its own
the preview's kamal-proxy would run with --pid host, which is not its own`
	if got := messages(err); got != want {
		t.Errorf("refused was\n%s\nwant\n%s", got, want)
	}
	for _, p := range problem.Of(err) {
		if strings.Contains(p.Message, "would run with") && !strings.Contains(p.Hint, "--allow-option '") {
			t.Errorf("%s: %s", p.Message, p.Hint)
		}
	}
}

// A preview that uses much of Kamal and has nothing that is not its own is deployed.
func TestKamal_AllowsWhatIsThePreviewsOwn(t *testing.T) {
	needKamal(t)
	preview := `service: <%= ENV.fetch("REVIEW_SERVICE") %>
proxy: {host: "<%= ENV.fetch("REVIEW_HOST") %>", ssl: false, run: {http_port: 8080, bind_ips: [127.0.0.1, "::1"], metrics_port: 9090}}
asset_path: /rails/public
labels: {team: "blue \"x\" $y"}
logging: {driver: json-file, options: {max-size: 1m, tag: "{{.Name}} $(id)"}}
volumes: ["<%= ENV.fetch("REVIEW_SERVICE") %>_storage:/storage", "/cache"]
env:
  clear: {QUOTED: "a \"b\" $(c) ${HOSTNAME} 'd' ` + "`e`" + ` é", EMPTY: "", MORE: "x\ny", NO: false}
  secret: [RAILS_MASTER_KEY]
servers:
  web:
    options: {memory: 512m, cpus: 1, ulimit: [nofile=1024], init: true, tmpfs: /tmp, health-cmd: "curl -f http://localhost || exit 1", restart: always}
  job:
    cmd: "sh -c 'bin/jobs; true'"
accessories:
  db:
    port: "127.0.0.1::5432"
    files: ["config/deploy.yml:/etc/x.yml:ro"]
    cmd: "postgres -c max_connections=10"
    env: {clear: {POSTGRES_USER: "<%= ENV["REVIEW_SERVICE"] %>"}}
`
	p := newKamalProject(t, map[string]string{"config/deploy.yml": shopYML, "config/deploy.review.yml": preview, ".kamal/secrets.review": "RAILS_MASTER_KEY=x\n"})
	if err := (review.Safety{}).Check(app(t, 12), parsed(t, p.preview(app(t, 12))), nil); err != nil {
		t.Error(messages(err))
	}
}

// Images get our labels when they are built, as containers when they are run.
func TestKamal_LabelsWhatItBuilds(t *testing.T) {
	needKamal(t)
	const build = `
TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Configuration"
    t.self.define_method(:to_h) { puts Kamal::Commands::Builder.new(self).push.join(" "); {} }
    t.disable
  end
}.enable`
	p := newKamalProject(t, map[string]string{"config/deploy.yml": shopYML, "config/deploy.review.yml": carelessYML, "Dockerfile": "FROM scratch\n"})
	a := app(t, 12)
	got := string(p.config(review.LabelsPreload+build, a.Env(), a.Args()...))
	for _, label := range []string{`service="shop-pr-12"`, `kamal-op.review.service="shop"`, `kamal-op.review.repository="acme/shop"`, `kamal-op.review.number="12"`} {
		if !strings.Contains(got, " --label "+label) {
			t.Errorf("no %s in\n%s", label, got)
		}
	}
}

// Every option that the docker of Kamal's image knows is read as docker reads it, with
// a value or without, and by its letter.
func TestKamal_KnowsDockersOptions(t *testing.T) {
	needKamal(t)
	help, err := exec.CommandContext(t.Context(), "docker", "run", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := review.CheckDockerHelp(string(help)); err != nil {
		t.Error(err)
	}
}
