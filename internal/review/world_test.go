package review_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// A host as Docker and the home folder of who logs in show it. It is a file, so
// that scripts can be run by a real shell, with a `docker` that is this test binary.
type host struct {
	Containers []container
	Images     []dockerImage
	Volumes    []string
	Routes     []string // kamal-proxy's
}

type container struct {
	ID, Name, Image string
	Labels          map[string]string
	Created         time.Time
	Running         bool
	Mounts          []mount
}

type mount struct{ Type, Name string }

type dockerImage struct {
	ID     string
	Tags   []string
	Labels map[string]string
}

const (
	beDocker  = "REVIEW_TEST_DOCKER" // the host's file
	mistakes  = "REVIEW_TEST_MISTAKES"
	hostsFile = "docker.json"
)

func load(file string) (h host) {
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &h)
	}
	if err != nil {
		panic(err)
	}
	return h
}

func (h host) save(file string) {
	raw, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		panic(err)
	}
}

// fakeDocker is the docker command, as far as the scripts use it. What it does not
// know is noted as a mistake.
func fakeDocker(file string, args []string) int {
	h := load(file)
	defer func() { h.save(file) }()
	line := strings.Join(args, " ")
	image := func(c container) dockerImage {
		for _, i := range h.Images {
			if slices.Contains(i.Tags, c.Image) || i.ID == c.Image {
				return i
			}
		}
		return dockerImage{}
	}
	bears := func(labels map[string]string) bool {
		for i, a := range args {
			if f, ok := strings.CutPrefix(a, "label="); ok && args[i-1] == "--filter" {
				key, value, _ := strings.Cut(f, "=")
				if got, has := labels[key]; !has || value != "" && got != value {
					return false
				}
			}
		}
		return true
	}
	matches := func(c container) bool {
		if rest, ok := strings.CutPrefix(args[len(args)-1], "ancestor="); ok {
			return c.Image == rest || image(c).ID == rest
		}
		return bears(c.Labels)
	}
	render := func(format string, v any) {
		t := template.Must(template.New("").Parse(format))
		if err := t.Execute(os.Stdout, v); err != nil {
			panic(err)
		}
		fmt.Println()
	}
	last := args[len(args)-1]
	switch {
	case strings.HasPrefix(line, "ps -aq --no-trunc --filter "), strings.HasPrefix(line, "ps -aq --filter "):
		for _, c := range h.Containers {
			if matches(c) {
				fmt.Println(c.ID)
			}
		}
	case args[0] == "inspect" && args[1] == "--format":
		for _, id := range args[3:] {
			for _, c := range h.Containers {
				if c.ID == id {
					render(args[2], map[string]any{
						"Config": map[string]any{"Labels": c.Labels}, "Id": c.ID, "Image": image(c).ID, "Name": "/" + c.Name, "Created": c.Created.Format(time.RFC3339Nano),
						"State": map[string]any{"Running": c.Running}, "Mounts": c.Mounts,
					})
				}
			}
		}
	case line == "image ls -q --no-trunc --filter label=service":
		for _, i := range h.Images {
			for range i.Tags {
				if i.Labels["service"] != "" {
					fmt.Println(i.ID)
				}
			}
		}
	case strings.HasPrefix(line, "image inspect --format "):
		for _, id := range args[4:] {
			for _, i := range h.Images {
				if i.ID == id {
					render(args[3], map[string]any{"Config": map[string]any{"Labels": i.Labels}, "Id": i.ID})
				}
			}
		}
	case strings.HasPrefix(line, "volume ls --format "):
		for _, v := range h.Volumes {
			render(args[3], map[string]string{"Name": v})
		}
	case line == "exec kamal-proxy kamal-proxy list":
		fmt.Println("\x1b[3mService\x1b[0m  Host")
		for _, r := range h.Routes {
			fmt.Printf("\x1b[1m%s\x1b[0m  somewhere\n", r)
		}
	case strings.HasPrefix(line, "exec kamal-proxy kamal-proxy remove "):
		h.Routes = slices.DeleteFunc(h.Routes, func(r string) bool { return r == last })
	case strings.HasPrefix(line, "rm -f -v "), strings.HasPrefix(line, "rm -v "):
		ids := args[2:]
		if args[1] == "-f" {
			ids = args[3:]
		} else if slices.ContainsFunc(h.Containers, func(c container) bool { return c.Running && slices.Contains(ids, c.ID) }) {
			return 1
		}
		for _, id := range ids {
			for _, c := range h.Containers {
				if c.ID != id {
					continue
				}
				for _, m := range c.Mounts {
					if len(m.Name) == 64 {
						h.Volumes = slices.DeleteFunc(h.Volumes, func(v string) bool { return v == m.Name })
					}
				}
			}
			h.Containers = slices.DeleteFunc(h.Containers, func(c container) bool { return c.ID == id })
		}
	case strings.HasPrefix(line, "volume rm "):
		used := slices.ContainsFunc(h.Containers, func(c container) bool {
			return slices.ContainsFunc(c.Mounts, func(m mount) bool { return m.Name == last })
		})
		if used || !slices.Contains(h.Volumes, last) {
			return 1
		}
		h.Volumes = slices.DeleteFunc(h.Volumes, func(v string) bool { return v == last })
	case strings.HasPrefix(line, "image prune -af --filter label="):
		h.prune(bears)
	case strings.HasPrefix(line, "image rm -f sha256:") && len(args) == 4:
		h.Images = slices.DeleteFunc(h.Images, func(i dockerImage) bool { return i.ID == last })
	case strings.HasPrefix(line, "image rm ") && len(args) == 3:
		h.Images = slices.DeleteFunc(h.Images, func(i dockerImage) bool { return slices.Contains(i.Tags, last) })
	default:
		note("docker " + line)
		return 97
	}
	return 0
}

// prune removes the images with some labels that no container uses.
func (h *host) prune(bears func(labels map[string]string) bool) {
	h.Images = slices.DeleteFunc(h.Images, func(i dockerImage) bool {
		used := slices.ContainsFunc(h.Containers, func(c container) bool { return slices.Contains(i.Tags, c.Image) || c.Image == i.ID })
		return bears(i.Labels) && !used
	})
}

func note(mistake string) {
	f, err := os.OpenFile(os.Getenv(mistakes), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintln(f, mistake)
	_ = f.Close()
}

// A world is a project with its hosts, and the Kamal that runs there. What is not
// expected of a review fails the test.
type world struct {
	t          *testing.T
	clk        *clock
	dir        string
	hosts      []string
	production resolved.Configuration
	preview    func(number int, r *resolved.Configuration) // changes a preview's configuration
	log        []string                                    // of Kamal's commands
	fail       map[string]error                            // by a command's beginning
	down       map[string]bool                             // hosts that cannot be reached
	before     func(command string)
	cut        bool // hosts' answers end early
	made       int
}

func newWorld(t *testing.T, clk *clock, hosts ...string) *world {
	t.Helper()
	w := &world{t: t, clk: clk, dir: t.TempDir(), hosts: hosts, fail: map[string]error{}, down: map[string]bool{}}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(w.dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(w.dir, "bin", "docker")); err != nil {
		t.Fatal(err)
	}
	w.production = resolvedFor("shop", "", "v1", "shop.example.com", hosts)
	for _, h := range hosts {
		if err := os.MkdirAll(w.home(h), 0o700); err != nil {
			t.Fatal(err)
		}
		host{}.save(w.file(h))
	}
	w.boot(w.production, "shop", plain)
	t.Cleanup(func() {
		if raw, err := os.ReadFile(filepath.Join(w.dir, "mistakes")); err == nil {
			t.Errorf("not expected: %s", raw)
		}
	})
	return w
}

// plain are Kamal's labels alone.
func plain(labels map[string]string) map[string]string { return labels }

func (w *world) home(h string) string { return filepath.Join(w.dir, h) }
func (w *world) file(h string) string { return filepath.Join(w.dir, h+"."+hostsFile) }

// labelled is what Kamal labels with, and with what.
func labelled(service, role, destination string) map[string]string {
	labels := map[string]string{"service": service}
	if role != "" {
		labels["role"], labels["destination"] = role, destination
	}
	return labels
}

// ours adds our labels, where the service is that of a preview.
func ours(labels map[string]string) map[string]string {
	if rest, ok := strings.CutPrefix(labels["service"], "shop-pr-"); ok {
		number, _, _ := strings.Cut(rest, "-")
		labels["kamal-op.review.service"], labels["kamal-op.review.repository"], labels["kamal-op.review.number"] = "shop", "acme/shop", number
	}
	return labels
}

// dockerRun is a line of Kamal's for a container.
func dockerRun(name string, labels map[string]string, image string, options ...string) string {
	line := "docker run --detach --restart unless-stopped --name " + name + " --network kamal"
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		line += " --label " + l
		if labels[l] != "" {
			line += `="` + labels[l] + `"`
		}
	}
	return strings.Join(append([]string{line}, append(options, image)...), " ")
}

// resolvedFor is a configuration as a careful project has it.
func resolvedFor(service, destination, version, at string, hosts []string) resolved.Configuration {
	return resolved.Configuration{
		Service: service, Destination: destination, Image: "registry.example/shop", Version: version, Hosts: hosts,
		Roles: map[string]resolved.Role{"web": {
			Hosts: hosts, Proxy: &resolved.Proxy{Hosts: []string{at}, Health: "/health"},
			Run: []string{dockerRun(service+"-web", ours(labelled(service, "web", destination)), "registry.example/shop:"+version, "--volume "+service+"_storage:/storage")},
		}},
		Accessories: map[string]resolved.Accessory{"db": accessory(service+"-db", "postgres:16", hosts[:1])},
	}
}

// accessory is one with a folder.
func accessory(service, image string, hosts []string) resolved.Accessory {
	return resolved.Accessory{
		Service: service, Image: image, Hosts: hosts,
		Run: []string{dockerRun(service, ours(labelled(service, "", "")), image, "--volume $PWD/"+service+"/data:/data")},
	}
}

// boot puts the containers, images, volumes, routes and files of an app there. label
// gives what is made its labels.
func (w *world) boot(r resolved.Configuration, service string, label func(map[string]string) map[string]string) {
	name := func(parts ...string) string {
		return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "-")
	}
	for _, at := range r.Roles["web"].Hosts {
		h := load(w.file(at))
		w.made++
		anonymous := fmt.Sprintf("%064x", w.made)
		for i := range h.Containers {
			if h.Containers[i].Labels["service"] == service {
				h.Containers[i].Running = false
			}
		}
		tag := r.Image + ":" + r.Version
		h.Containers = append(h.Containers, container{
			ID: hex12("c", w.made), Name: name(service, "web", r.Destination, r.Version), Image: tag, Running: true, Created: w.clk.now(),
			Labels: label(labelled(service, "web", r.Destination)), Mounts: []mount{{"volume", anonymous}, {"volume", service + "_storage"}, {"bind", ""}},
		})
		h.Images = slices.DeleteFunc(h.Images, func(i dockerImage) bool { return slices.Contains(i.Tags, tag) })
		h.Images = append(h.Images, dockerImage{ID: fmt.Sprintf("sha256:%064x", w.made), Tags: []string{tag, name(r.Image+":latest", r.Destination)}, Labels: label(map[string]string{"service": service})})
		h.Volumes = append(h.Volumes, anonymous)
		if !slices.Contains(h.Volumes, service+"_storage") {
			h.Volumes = append(h.Volumes, service+"_storage")
		}
		route := name(service, "web", r.Destination)
		if !slices.Contains(h.Routes, route) {
			h.Routes = append(h.Routes, route)
		}
		h.save(w.file(at))
		for _, f := range []string{".kamal/apps/" + name(service, r.Destination) + "/env/x", ".kamal/proxy/apps-config/" + name(service, r.Destination) + "/x", ".kamal/" + name(service, r.Destination, "audit.log")} {
			w.write(at, f)
		}
	}
	for n := range r.Accessories {
		if service == "shop" {
			w.bootAccessory(r, n, label)
		}
	}
}

func hex12(first string, n int) string { return first + fmt.Sprintf("%063x", n) }

func (w *world) bootAccessory(r resolved.Configuration, name string, label func(map[string]string) map[string]string) {
	a := r.Accessories[name]
	for _, at := range a.Hosts {
		h := load(w.file(at))
		if slices.ContainsFunc(h.Containers, func(c container) bool { return c.Labels["service"] == a.Service }) {
			continue
		}
		w.made++
		h.Containers = append(h.Containers, container{
			ID: hex12("c", w.made), Name: a.Service, Image: a.Image, Running: true, Created: w.clk.now(), Labels: label(labelled(a.Service, "", "")),
		})
		if !slices.ContainsFunc(h.Images, func(i dockerImage) bool { return slices.Contains(i.Tags, a.Image) }) {
			h.Images = append(h.Images, dockerImage{ID: fmt.Sprintf("sha256:%064x", w.made), Tags: []string{a.Image}})
		}
		h.save(w.file(at))
		w.write(at, a.Service+"/data/base")
	}
}

func (w *world) write(at, file string) {
	path := filepath.Join(w.home(at), file)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// newer makes the containers of a service an hour younger.
func (w *world) newer(service string) {
	for _, at := range w.hosts {
		h := load(w.file(at))
		for i, c := range h.Containers {
			if c.Labels["service"] == service {
				h.Containers[i].Created = c.Created.Add(time.Hour)
			}
		}
		h.save(w.file(at))
	}
}

func (w *world) remove(at, file string) {
	if err := os.RemoveAll(filepath.Join(w.home(at), file)); err != nil {
		w.t.Fatal(err)
	}
}

// of is everything that stands on the hosts by a service's name, one a line.
func (w *world) of(service string) string {
	var list []string
	for _, at := range w.hosts {
		h := load(w.file(at))
		add := func(kind, name string) {
			rest, ok := strings.CutPrefix(name, service)
			if ok && (rest == "" || strings.ContainsAny(rest[:1], "-_.:/")) {
				list = append(list, at+" "+kind+" "+name)
			}
		}
		for _, c := range h.Containers {
			add("container", c.Labels["service"]+":"+c.Name+":"+c.ID)
			for _, m := range c.Mounts {
				add("mount", c.Labels["service"]+":"+m.Name)
			}
		}
		for _, i := range h.Images {
			add("image", i.Labels["service"]+":"+i.ID)
		}
		for _, v := range h.Volumes {
			add("volume", v)
		}
		for _, r := range h.Routes {
			add("route", r)
		}
		_ = filepath.WalkDir(w.home(at), func(path string, _ os.DirEntry, _ error) error {
			rel, _ := filepath.Rel(w.home(at), path)
			add("file", strings.TrimPrefix(strings.NewReplacer(".kamal/apps/", "", ".kamal/proxy/apps-config/", "", ".kamal/lock-", "").Replace(rel), ".kamal/"))
			return nil
		})
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// everything is all hosts, but for the previews' things.
func (w *world) productions() string {
	var list []string
	for _, at := range w.hosts {
		h := load(w.file(at))
		for _, i := range h.Images {
			if i.Labels["service"] == "" {
				list = append(list, at+" image "+i.Tags[0])
			}
		}
	}
	for l := range strings.SplitSeq(w.of("shop"), "\n") {
		if !strings.Contains(l, "shop-pr-") {
			list = append(list, l)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

func number(env []string) int {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "REVIEW_NUMBER="); ok {
			n, _ := strconv.Atoi(v)
			return n
		}
	}
	return -1
}

func value(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// config is what Kamal makes of a preview's environment.
func (w *world) config(env []string) resolved.Configuration {
	r := resolvedFor(value(env, "REVIEW_SERVICE"), "review", value(env, "REVIEW_VERSION"), value(env, "REVIEW_HOST"), w.hosts)
	if w.preview != nil {
		w.preview(number(env), &r)
	}
	return r
}

// Run implements review.Runner.
func (w *world) Run(ctx context.Context, c review.Command) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, a := range append(c.Args, c.Env...) {
		if strings.ContainsAny(a, "\n\r\x00") {
			w.t.Errorf("an argument with a line feed: %q", a)
		}
	}
	n := number(c.Env)
	label := plain
	if c.Preload == review.LabelsPreload && value(c.Env, "REVIEW_OF") == "shop" && value(c.Env, "REVIEW_REPOSITORY") == "acme/shop" {
		label = ours
	}
	service := value(c.Env, "REVIEW_SERVICE")
	line := strings.Join(c.Args, " ")
	if c.Args[0] == "server" && c.Args[1] == "exec" {
		line = "server exec on " + c.Args[4]
	}
	w.log = append(w.log, fmt.Sprintf("%d: %s", n, line))
	if w.before != nil {
		w.before(line)
	}
	for beginning, err := range w.fail {
		if strings.HasPrefix(line, beginning) {
			return nil, err
		}
	}
	rest, isPreviews := strings.CutSuffix(line, " -d review --version "+value(c.Env, "REVIEW_VERSION"))
	switch {
	case line == "config --version production" && c.Preload == resolved.Preload && c.Capture && n < 0:
		return resolvedText(w.production), nil
	case !isPreviews && c.Args[0] != "server":
		w.t.Errorf("not expected: %s", line)
		return nil, problem.Newf("unexpected")
	case rest == "config" && c.Preload == review.LabelsPreload+resolved.Preload && c.Capture:
		return resolvedText(w.config(c.Env)), nil
	case c.Args[0] == "server" && c.Args[1] == "exec":
		return w.shell(c)
	case rest == "server bootstrap", rest == "build push":
	case rest == "setup", rest == "deploy", rest == "deploy --skip-push", rest == "setup --skip-push":
		r := w.config(c.Env)
		if strings.HasPrefix(rest, "setup") {
			for name := range r.Accessories {
				w.bootAccessory(r, name, label)
			}
		}
		w.boot(r, service, label)
	case strings.HasPrefix(rest, "accessory boot "):
		w.bootAccessory(w.config(c.Env), strings.TrimPrefix(rest, "accessory boot "), label)
	case strings.HasPrefix(rest, "accessory reboot "):
		r, name := w.config(c.Env), strings.TrimPrefix(rest, "accessory reboot ")
		for _, at := range r.Accessories[name].Hosts {
			h := load(w.file(at))
			h.Containers = slices.DeleteFunc(h.Containers, func(c container) bool { return c.Labels["service"] == r.Accessories[name].Service })
			h.save(w.file(at))
		}
		w.bootAccessory(r, name, label)
	case strings.HasPrefix(rest, "accessory exec db --reuse "), strings.HasPrefix(rest, "app exec --reuse "), rest == "app stop":
	case rest == "app remove":
		return nil, w.appRemove(service)
	default:
		w.t.Errorf("not expected: %s", line)
		return nil, problem.Newf("unexpected")
	}
	return nil, nil
}

func resolvedText(r resolved.Configuration) []byte {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return []byte("INFO something\n" + resolved.Line + string(raw) + "\n--- {}\n")
}

// appRemove does what `kamal app remove` does, and leaves what it leaves.
func (w *world) appRemove(service string) error {
	if _, err := os.Stat(filepath.Join(w.home(w.hosts[0]), ".kamal/lock-"+service+"-review")); err == nil {
		return (&problem.Problem{Message: "deploy lock found", Status: 1}).About(problem.DeployLock)
	}
	for _, at := range w.hosts {
		if w.down[at] {
			return problem.Newf("%s cannot be reached", at)
		}
		h := load(w.file(at))
		h.Containers = slices.DeleteFunc(h.Containers, func(c container) bool {
			return c.Labels["service"] == service && c.Labels["destination"] == "review"
		})
		h.prune(func(l map[string]string) bool { return l["service"] == service })
		h.save(w.file(at))
		if err := os.RemoveAll(filepath.Join(w.home(at), ".kamal/apps/"+service+"-review")); err != nil {
			return err
		}
	}
	return nil
}

// shell runs what Kamal hands to a host's login shell.
func (w *world) shell(c review.Command) ([]byte, error) {
	at := c.Args[4]
	if c.Args[3] != "--hosts" || !slices.Contains(w.hosts, at) || !c.Capture {
		w.t.Errorf("not expected: %q", c.Args)
	}
	if w.down[at] {
		return nil, problem.Newf("%s cannot be reached", at)
	}
	// Kamal notes it first.
	w.write(at, fmt.Sprintf(".kamal/%s-review-audit.log", value(c.Env, "REVIEW_SERVICE")))
	cmd := exec.CommandContext(w.t.Context(), "sh", "-c", c.Args[2])
	cmd.Dir = w.home(at)
	cmd.Env = []string{
		// Under the race detector a program sleeps a second at its end, and the
		// stand-in for docker is this test itself, thousands of times.
		"GORACE=atexit_sleep_ms=0",
		"PATH=" + filepath.Join(w.dir, "bin") + ":/usr/bin:/bin", "HOME=" + cmd.Dir,
		beDocker + "=" + w.file(at), mistakes + "=" + filepath.Join(w.dir, "mistakes"),
	}
	cmd.Stderr = io.Discard
	out, err := cmd.Output()
	if w.cut {
		out = out[:len(out)*2/3]
	}
	shown := "  Running '" + c.Args[2] + "' on " + at + "...\n  INFO [1234] Running ...\nApp Host: " + at + "\n" + string(out) + "\n\n"
	if err != nil {
		return []byte(shown), problem.Newf("the command failed on %s", at)
	}
	return []byte(shown), nil
}
