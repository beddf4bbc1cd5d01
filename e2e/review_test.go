package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// A theater is a scene with pull requests: production runs on its server, with an
// accessory of its own and one that previews share, and GitHub knows the previews'
// pull requests. Each of them is checked out on a machine of its own, as in jobs
// that run at the same time.
type theater struct {
	*scene
	api   *githubtest.Server
	token string
	main  *machine
	heads map[int]*head
	runs  int
}

// A head is what is checked out of one pull request.
type head struct {
	*machine
	number  int
	service string
	host    string
	url     string // where GitHub shall say that the preview is
	sha     string
}

// reviewYML is the file that kamal-op writes for a project, without TLS.
const reviewYML = `service: <%= ENV.fetch("REVIEW_SERVICE") %>
proxy:
  host: <%= ENV.fetch("REVIEW_HOST") %>
  ssl: false
`

func newTheater(t *testing.T, numbers ...int) *theater {
	t.Helper()
	c := newScene(t, 1)
	h := &theater{scene: c, token: randomText(16), heads: map[int]*head{}}
	h.api = githubtest.New(t, githubtest.Options{})
	h.api.AddToken(h.token, githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: githubtest.Everything()})

	p := c.project
	image := h.accessoryImage()
	text, err := os.ReadFile(filepath.Join(p.Dir, "config/deploy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	accessory := "  %s:\n    image: " + image + "\n    host: " + c.servers[0].Address + "\n    directories:\n      - data:/data\n"
	p.write("config/deploy.yml", string(text)+"\nvolumes:\n  - <%= ENV.fetch(\"REVIEW_SERVICE\", \""+p.Service+"\") %>_storage:/storage\n\n"+
		"accessories:\n"+fmt.Sprintf(accessory, "db")+fmt.Sprintf(accessory, "cache")+"    service: "+p.Service+"-cache\n")
	p.write("config/deploy.review.yml", reviewYML)
	p.write(".kamal/secrets.review", passedThrough(append([]string{"KAMAL_REGISTRY_PASSWORD"}, p.Secrets...)...))
	p.commit()
	h.main = c.rig.machine(t, p)
	// Another team's production, which is called like a preview: it is not ours.
	c.servers[0].mustExec(t, "sh", "-c", `docker run -d --name "$1"-pr-33-web --label service="$1"-pr-33 --label role=web --label destination= -v "$1"-pr-33_data:/data "$2" >/dev/null; mkdir -p /root/"$1"-pr-33-db; touch /root/"$1"-pr-33-db/base`, "-", p.Service, image)
	t.Cleanup(func() {
		c.servers[0].remove(t, p.Service+"-pr-33-web")
		c.servers[0].mustExec(t, "sh", "-c", `docker volume rm "$1"-pr-33_data >/dev/null; rm -rf /root/"$1"-pr-33-db`, "-", p.Service)
		for _, name := range []string{p.Service + "-db", p.Service + "-cache"} {
			c.servers[0].remove(t, name)
		}
		c.servers[0].mustExec(t, "sh", "-c", `docker volume rm "$1_storage" >/dev/null; rm -rf /root/"$1"-*`, "-", p.Service)
	})
	for _, n := range numbers {
		h.open(n)
	}
	return h
}

// accessoryImage is an image that the server has and no registry.
func (h *theater) accessoryImage() string {
	dir := h.t.TempDir()
	p := &project{t: h.t, Dir: dir}
	p.copy("app", filepath.Join(h.rig.dir, "app"))
	p.write("Dockerfile", "FROM scratch\nCOPY app /app\nCMD [\"/app\"]\n")
	name := h.project.Service + "-accessory:1"
	if out, err := exec.Command("docker", "build", "--quiet", "--tag", name, dir).CombinedOutput(); err != nil {
		h.t.Fatalf("building the accessory: %v\n%s", err, out)
	}
	h.t.Cleanup(func() { mustDocker(h.t, "image", "rm", "--force", name) })
	if err := h.servers[0].load(name); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { h.servers[0].mustExec(h.t, "docker", "image", "rm", "--force", name) })
	return name
}

// open opens a pull request and checks its head out.
func (h *theater) open(number int) {
	h.t.Helper()
	service := h.project.Service + "-pr-" + strconv.Itoa(number)
	p := &project{t: h.t, Dir: h.t.TempDir(), Service: service, Domain: "pr-" + strconv.Itoa(number) + "." + h.project.Domain, Secrets: h.project.Secrets}
	if out, err := exec.Command("cp", "-a", h.project.Dir+"/.", p.Dir).CombinedOutput(); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	h.t.Cleanup(p.removeImages)
	d := &head{machine: h.rig.machine(h.t, p), number: number, service: service, host: p.Domain, url: "http://" + p.Domain}
	// A wildcard record of the DNS.
	mustDocker(h.t, "exec", d.id, "sh", "-c", `echo "$1 $2" >>/etc/hosts`, "-", h.servers[0].Address, d.host)
	h.heads[number] = d
	h.push(number)
}

// push makes another commit the head.
func (h *theater) push(number int) {
	h.t.Helper()
	d := h.heads[number]
	d.project.write("README", "a change "+randomText(4)+"\n")
	d.sha = d.project.commit()
	h.api.AddPull(githubtest.Pull{Number: number, SHA: d.sha})
}

// close closes a pull request, merged or not.
func (h *theater) close(number int) {
	h.api.AddPull(githubtest.Pull{Number: number, SHA: h.heads[number].sha, Closed: true})
}

// job is the environment of one job of a new workflow run.
func (h *theater) job() map[string]string {
	h.runs++
	env := h.connect()
	maps.Copy(env, map[string]string{
		"GITHUB_API_URL": h.api.URL, "GITHUB_REPOSITORY": "acme/shop", "GITHUB_SERVER_URL": "https://github.example.com",
		"GITHUB_TOKEN": h.token, "GITHUB_RUN_ID": strconv.Itoa(h.runs), "GITHUB_RUN_ATTEMPT": "1", "CI": "true",
	})
	return env
}

// command is kamal-op review with the flags of the theater.
func (h *theater) command(command string, args ...string) []string {
	argv := append([]string{"kamal-op", "review", command}, h.flags()...)
	argv = append(argv, "--review-host", h.project.Domain, "--shared-accessories", "cache")
	return append(argv, args...)
}

// payload writes the file of a pull_request event.
func (h *theater) payload(path string, number int, action string) {
	h.t.Helper()
	pull := githubtest.Pull{Number: number, SHA: h.heads[number].sha, Closed: action == "closed", Merged: action == "closed", Title: "`$(id)` ::error::\n"}
	text, err := json.Marshal(map[string]any{"action": action, "pull_request": pull.GitHub("acme/shop"), "repository": map[string]string{"full_name": "acme/shop"}})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// event is a job that a pull_request event begins.
func (h *theater) event(number int, action string) map[string]string {
	d := h.heads[number]
	path := filepath.Join(d.project.Dir, ".git", "event.json") // git does not see it there
	h.payload(path, number, action)
	env := h.job()
	maps.Copy(env, map[string]string{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": path, "GITHUB_SHA": d.sha})
	return env
}

// together runs several things at the same time.
func together(all ...func()) {
	var group sync.WaitGroup
	for _, f := range all {
		group.Go(f)
	}
	group.Wait()
}

// production is all of production's that is on the server: containers with their
// states, images with their tags, volumes, files, routes; and what another team has.
func (h *theater) production() string {
	h.t.Helper()
	return h.servers[0].mustExec(h.t, "sh", "-c", `
		docker ps -aq --no-trunc --filter label=service | xargs -r docker inspect --format '{{index .Config.Labels "service"}} {{.Id}} {{.Image}} {{.State.Running}} {{.State.StartedAt}} {{.RestartCount}} {{range .Mounts}}{{.Source}} {{end}}' | grep -E "^$1(-db|-cache|-pr-33)? " | sort
		docker images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' --filter "label=service=$1" | grep -v -- -review | sort
		docker images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' "$1-accessory"
		docker ps -a --no-trunc --filter name=kamal-proxy --format '{{.ID}}'
		docker volume ls -q | grep -E "^$1(_|-pr-33_)"
		ls /root/"$1"-pr-33-db
		find /root/.kamal/apps/"$1" /root/.kamal/proxy /root/"$1"-db /root/"$1"-cache -not -path '*-pr-*' 2>/dev/null | sort
		docker exec kamal-proxy kamal-proxy list | sed 's/\x1b\[[0-9;]*m//g' | grep "^$1-web " | tr -s ' '`, "-", h.project.Service)
}

// previews is all that is on the server of the previews, by any name, but for what
// another team calls so.
func (h *theater) previews() string {
	h.t.Helper()
	return h.servers[0].mustExec(h.t, "sh", "-c", `{
		docker ps -a --format '{{.Names}} {{.Label "service"}}' | grep -- "$1-pr-"
		docker images --format '{{.Repository}}:{{.Tag}}' | grep -- ":pr-"
		docker images --filter dangling=true --format '{{.ID}}' --filter "label=service"
		docker volume ls -q | grep -- "$1-pr-"
		find /root /var/lib/docker/volumes -path '*'"$1-pr-"'*' 2>/dev/null
		docker exec kamal-proxy kamal-proxy list | grep -- "$1-pr-"; } | grep -v -- "$1-pr-33"; true`, "-", h.project.Service)
}

// serves fails the test where a host does not answer with this version.
func (h *theater) serves(host, version string) {
	h.t.Helper()
	if got := h.servers[0].digests(h.t, host)["KAMAL_VERSION"]; got != digest(version) {
		h.t.Errorf("%s answers with another version than %s", host, version)
	}
}

// told fails the test where GitHub was not told that: one comment with this text,
// and the states of the preview's deployments, the oldest first.
func (h *theater) told(number int, text string, states ...string) {
	h.t.Helper()
	d := h.heads[number]
	var own []string
	for _, c := range h.api.Comments(number) {
		own = append(own, c.GetBody())
	}
	if len(own) != 1 || !strings.Contains(own[0], text) {
		h.t.Errorf("the comments of %d are %q, want one with %q", number, own, text)
	}
	var got []string
	for _, deployment := range h.api.Deployments() {
		if deployment.GetTask() == "deploy:"+d.service {
			got = append(got, deployment.State())
			if url := deployment.Statuses[len(deployment.Statuses)-1].GetEnvironmentURL(); deployment.State() == "success" && url != d.url {
				h.t.Errorf("the deployment of %d is at %q", number, url)
			}
		}
	}
	if !slices.Equal(got, states) {
		h.t.Errorf("the deployments of %d are %q, want %q", number, got, states)
	}
}

// Three pull requests beside production of the same service: deployed, pushed to,
// removed and swept, several at a time.
func TestReviewApps(t *testing.T) {
	t.Parallel()
	h := newTheater(t, 1, 2, 10)
	began := time.Now()
	passed := func(what string) { t.Logf("%5.1f s: %s", time.Since(began).Seconds(), what) }
	h.succeeded(h.main.run(h.connect(), append([]string{"kamal-op", "setup"}, h.flags()...)...))
	// A version to go back to, which a prune of the previews' must not take.
	h.project.write("README", "the second version\n")
	version := h.project.commit()
	h.succeeded(h.main.run(h.connect(), append([]string{"kamal-op", "redeploy"}, h.flags()...)...))
	before := h.production()
	untouched := func(after string) {
		t.Helper()
		if now := h.production(); now != before {
			t.Errorf("after %s production was:\n%s\nand is:\n%s", after, before, now)
		}
		h.serves(h.project.Domain, version)
		passed(after)
	}
	if n := strings.Count(before, "\n"); n < 12 || !strings.Contains(before, h.project.Service+"-web") {
		t.Fatalf("of production was seen only:\n%s", before)
	}
	passed("production is set up")

	deploy := func(d *head, env map[string]string) func() {
		argv := h.command("deploy", strconv.Itoa(d.number))
		if env["GITHUB_EVENT_NAME"] != "" {
			argv = h.command("event")
		}
		return func() { h.succeeded(d.run(env, argv...)) }
	}
	one, two, ten := h.heads[1], h.heads[2], h.heads[10]
	for _, d := range h.heads {
		d.remember()
	}
	together(deploy(one, h.job()), deploy(two, h.event(2, "opened")), deploy(ten, h.job()))
	if t.Failed() {
		t.FailNow()
	}
	for _, d := range h.heads {
		h.serves(d.host, "pr-"+strconv.Itoa(d.number)+"-"+d.sha)
		h.told(d.number, "http://"+d.host, "success")
		h.clean(d.machine)
	}
	untouched("three deploys at the same time")
	for _, thing := range []string{"-web-review-pr-2-", "-db ", "_storage", "/.kamal/apps/", "-db/data"} {
		if seen := h.previews(); !strings.Contains(seen, thing) {
			t.Errorf("of the previews no %q is seen, so that it could not be missed:\n%s", thing, seen)
		}
	}

	// A push to one while another is closed and swept, and removed.
	h.push(1)
	h.close(2)
	sweep := func() { h.swept(h.main.run(h.job(), h.command("sweep")...)) }
	together(deploy(one, h.event(1, "synchronize")), sweep, func() {
		h.swept(two.run(h.event(2, "closed"), h.command("event")...))
	})
	h.serves(one.host, "pr-1-"+one.sha)
	h.serves(ten.host, "pr-10-"+ten.sha)
	h.told(1, "http://"+one.host, "inactive", "success")
	h.told(10, "http://"+ten.host, "success")
	untouched("a push, a removal and a sweep at the same time")
	if left := h.previews(); strings.Contains(left, two.service) {
		t.Errorf("left of a removed preview:\n%s", left)
	}
	h.told(2, "was removed", "inactive")
	if resp, err := get(h.servers[0].Address, two.host); err != nil || resp != http.StatusNotFound {
		t.Errorf("the removed preview answers %d, %v", resp, err)
	}

	// What is there is listed: by name, and one is not ten.
	res := h.main.run(h.job(), h.command("list", "--format", "json")...)
	h.succeeded(res)
	var list []struct {
		Number  int
		Service string
		Running bool
		Pull    string
		NotOurs []string
	}
	if err := json.Unmarshal([]byte(res.Stdout), &list); err != nil || len(list) != 3 || list[2].Number != 33 || len(list[2].NotOurs) < 3 || list[2].Running || list[0].Number != 1 || list[1].Number != 10 || !list[0].Running || list[1].Pull != "open" {
		t.Errorf("listed are %+v, %v\n%s", list, err, res.Stdout)
	}
	h.close(1)
	h.succeeded(h.main.run(h.job(), h.command("remove", "1")...))
	if left := h.previews(); strings.Contains(left, one.service+" ") || strings.Contains(left, one.service+"-") {
		t.Errorf("left of a removed preview:\n%s", left)
	}
	h.serves(ten.host, "pr-10-"+ten.sha)
	untouched("a removal")

	// A deploy that is cancelled says so, and its lock is released.
	h.open(4)
	four := h.heads[4]
	four.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\necho the hook sleeps >&2\nsleep 120\n")
	h.push(4)
	four.remember()
	r := four.start(h.job(), "", h.command("deploy", "4")...)
	r.until(".kamal/hooks/pre-deploy on ")
	four.signal("INT")
	h.ended(r.wait(), 130)
	h.told(4, "was cancelled while it was being deployed", "error")
	h.unlocked()
	h.clean(four.machine)
	untouched("a deploy that was cancelled")
	h.close(4)

	h.close(10)
	res = h.main.run(h.job(), h.command("sweep", "--dry-run")...)
	h.succeeded(res)
	if !strings.Contains(res.Log, "remove "+ten.service+": closed") {
		t.Errorf("a dry run does not say what it would do\n%s", res.Log)
	}
	h.serves(ten.host, "pr-10-"+ten.sha)
	h.main.remember()
	h.succeeded(h.main.run(h.job(), h.command("sweep")...))
	h.clean(h.main)
	h.told(10, "was removed", "inactive")
	untouched("a sweep")
	if left := h.previews(); left != "" {
		t.Errorf("left of the previews:\n%s", left)
	}
}

// swept fails the test where a removal ended otherwise than well, or in part.
func (h *theater) swept(res result) {
	h.t.Helper()
	if res.Status != 0 {
		h.ended(res, 6)
		h.t.Logf("done in part:\n%s", res.Log)
	}
}

// get asks the proxy of a server for a host, and follows it nowhere.
func get(address, host string) (status int, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+address+"/up", nil)
	if err != nil {
		return 0, err
	}
	req.Host = host
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := (&http.Client{Timeout: time.Minute, CheckRedirect: stay}).Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}
