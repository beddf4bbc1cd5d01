package review_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// A proxy answers for hosts as kamal-proxy would.
type proxy struct {
	asked  []string
	status func(host string) int
	fail   error
}

func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	p.asked = append(p.asked, r.URL.String())
	if p.fail != nil {
		return nil, p.fail
	}
	rec := httptest.NewRecorder()
	rec.WriteHeader(p.status(r.URL.Host))
	return rec.Result(), nil
}

type scene struct {
	*testing.T
	clk    *clock
	github *githubtest.Server
	world  *world
	proxy  *proxy
	review *review.Review
	said   []string
}

func newScene(t *testing.T, hosts ...string) *scene {
	t.Helper()
	if len(hosts) == 0 {
		hosts = []string{"192.0.2.1"}
	}
	clk := newClock()
	s := &scene{T: t, clk: clk, world: newWorld(t, clk, hosts...), proxy: &proxy{status: func(string) int { return 200 }}}
	var client *github.Client
	s.github, client = testGitHub(t, clk)
	s.review = &review.Review{
		Project: review.Project{Service: "shop", Repository: "Acme/Shop", Host: "review.example.com", ReadyCheck: review.ReadyCheck{Transport: s.proxy}},
		Runner:  s.world, GitHub: client, Run: review.Run{ID: 100, Attempt: 1, URL: "https://github.test/acme/shop/actions/runs/100"},
		Say: func(l string) { s.said = append(s.said, l) }, Now: clk.now, Sleep: clk.sleep,
	}
	return s
}

// nextRun makes the review that of the next workflow run.
func (s *scene) nextRun() { s.review.Run.ID++; s.world.log = nil; s.said = nil }

func (s *scene) deploy(number int) review.Outcome {
	s.Helper()
	s.nextRun()
	out, err := s.review.Carry(s.Context(), review.Plan{Do: review.Deploy, Number: number, SHA: githubtest.SHA(number), Why: "opened"})
	if err != nil {
		s.Fatalf("deploying %d: %v\n%s", number, err, details(err))
	}
	if out.Untold != nil {
		s.Errorf("untold: %v", out.Untold)
	}
	return out
}

func details(err error) string {
	var list []string
	for _, p := range problem.Of(err) {
		list = append(list, p.Details...)
	}
	return strings.Join(list, "\n")
}

func (s *scene) comment(number int) string {
	s.Helper()
	list := s.github.Comments(number)
	if len(list) != 1 {
		s.Fatalf("%d comments on %d", len(list), number)
	}
	if dir := os.Getenv("KAMAL_OP_E2E_PICTURES"); dir != "" { // for build/pictures.sh
		if err := os.WriteFile(filepath.Join(dir, "comment.md"), []byte(list[0].GetBody()), 0o600); err != nil {
			s.Fatal(err)
		}
	}
	return list[0].GetBody()
}

func (s *scene) states() string {
	var list []string
	for _, d := range s.github.Deployments() {
		var states []string
		for _, st := range d.Statuses {
			states = append(states, st.GetState())
		}
		list = append(list, strings.TrimPrefix(d.GetTask(), "deploy:shop-")+"="+strings.Join(states, ","))
	}
	return strings.Join(list, " ")
}

func (s *scene) wantLog(want ...string) {
	s.Helper()
	var got []string
	for _, l := range s.world.log {
		l, _, _ = strings.Cut(l, " -d review")
		got = append(got, l)
	}
	if !slices.Equal(got, want) {
		s.Errorf("Kamal ran\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// has checks that a text has all of these lines or parts.
func (s *scene) has(text string, parts ...string) {
	s.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			s.Errorf("%q is not in\n%s", p, text)
		}
	}
}

func TestDeploy_FirstAndAgain(t *testing.T) {
	s := newScene(t)
	production := s.world.productions()
	out := s.deploy(12)
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: setup")
	if out.URL != "http://pr-12.review.example.com" || !slices.Equal(s.proxy.asked, []string{"http://pr-12.review.example.com/health"}) {
		t.Errorf("%s, asked %v", out.URL, s.proxy.asked)
	}
	s.has(s.comment(12), "**The preview `shop-pr-12` is up**", "http://pr-12.review.example.com", "version `pr-12-"+githubtest.SHA(12)+"`", "[log](https://github.test/acme/shop/actions/runs/100)")
	if got, want := s.states(), "pr-12=queued,in_progress,success"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	s.github.AddPull(githubtest.Pull{Number: 12, SHA: githubtest.SHA(99)})
	s.nextRun()
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(99)}); err != nil {
		t.Fatal(err)
	}
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: deploy")
	if got, want := s.states(), "pr-12=queued,in_progress,success,inactive pr-12=queued,in_progress,success"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	s.has(s.comment(12), "version `pr-12-"+githubtest.SHA(99)+"`")
	if got := s.world.productions(); got != production {
		t.Errorf("production changed:\n%s\nwas\n%s", got, production)
	}
	if left := s.world.of("shop-pr-0"); left != "" {
		t.Errorf("left by looking: %s", left)
	}
}

// A preview of which nothing runs yet has its hosts prepared, and then what of its
// accessories is its own booted.
func TestDeploy_FirstWithAnAccessoryOfItsOwnBesideASharedOne(t *testing.T) {
	s := newScene(t)
	s.review.Project.SharedAccessories = []string{"db"}
	s.world.preview = func(_ int, r *resolved.Configuration) {
		r.Accessories["db"] = accessory("shop-db", "postgres:16", r.Hosts[:1])
		r.Accessories["cache"] = accessory(r.Service+"-cache", "valkey:8", r.Hosts)
	}
	s.world.productions()
	s.deploy(12)
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: server bootstrap", "12: accessory boot cache", "12: deploy")
}

// The shared database is never booted; an accessory of its own that a later push
// brings is.
func TestDeploy_SharedAccessories(t *testing.T) {
	s := newScene(t)
	s.review.Project.SharedAccessories = []string{"db"}
	s.review.Project.DeployArgs = []string{"--skip-push"}
	s.review.Project.Create = []review.Task{{Accessory: "db", Command: "createdb {database} || true"}, {Command: "bin/seed {number} {service}"}}
	withCache := false
	s.world.preview = func(number int, r *resolved.Configuration) {
		r.Accessories["db"] = accessory("shop-db", "postgres:16", r.Hosts[:1])
		if withCache {
			r.Accessories["cache"] = accessory(r.Service+"-cache", "valkey:8", r.Hosts)
		}
	}
	production := s.world.productions()
	s.deploy(12)
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: server bootstrap",
		"12: accessory exec db --reuse createdb shop_pr_12 || true", "12: deploy --skip-push", "12: app exec --reuse bin/seed 12 shop-pr-12")
	withCache = true
	s.deploy(12)
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: accessory boot cache",
		"12: accessory exec db --reuse createdb shop_pr_12 || true", "12: deploy --skip-push", "12: app exec --reuse bin/seed 12 shop-pr-12")
	s.nextRun()
	s.review.Project.Drop = []review.Task{{Accessory: "db", Command: "dropdb --if-exists {database}"}}
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"}); err != nil {
		t.Fatalf("%v\n%s", err, details(err))
	}
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: app stop",
		"12: accessory exec db --reuse dropdb --if-exists shop_pr_12", "12: app remove", "12: server exec on 192.0.2.1", "0: server exec on 192.0.2.1")
	if left := s.world.of("shop-pr-12"); left != "" {
		t.Errorf("left:\n%s", left)
	}
	if got := s.world.productions(); got != production {
		t.Errorf("production changed:\n%s\nwas\n%s", got, production)
	}
}

func TestBuild(t *testing.T) {
	s := newScene(t)
	plan := review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)}
	if _, err := s.review.Build(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	s.wantLog("-1: config --version production", "12: config", "12: build push")
	s.nextRun()
	plan.Do = review.Nothing
	if _, err := s.review.Build(t.Context(), plan); err != nil || len(s.world.log) != 0 {
		t.Errorf("%v, %v", err, s.world.log)
	}
	plan.Do = review.Deploy
	s.world.preview = func(_ int, r *resolved.Configuration) { r.Service = "shop" }
	if _, err := s.review.Build(t.Context(), plan); err == nil || len(s.github.Calls()) != 0 {
		t.Errorf("%v, %v", err, s.github.Calls())
	}
}

func TestDeploy_RefusesBeforeAnythingChanges(t *testing.T) {
	s := newScene(t)
	s.world.preview = func(_ int, r *resolved.Configuration) { r.Service = "shop" }
	production := s.world.productions()
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
	p := wantProblem(t, err, "the preview's service is shop, not shop-pr-12")
	if p.Status != problem.Found {
		t.Errorf("status %d", p.Status)
	}
	s.wantLog("-1: config --version production", "12: config")
	if got := s.world.productions(); got != production {
		t.Errorf("production changed:\n%s", got)
	}
	if got, want := s.states(), "pr-12=queued,failure"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	s.has(s.comment(12), "could not be deployed", "✗ `the preview's service is shop, not shop-pr-12`", "What helps: ")
}

// The same in a removal: `app remove` with production's service would take it.
func TestRemove_RefusesAnothersService(t *testing.T) {
	s := newScene(t)
	s.deploy(12)
	for _, service := range []string{"shop", "shop-pr-1", "shop-pr-120"} {
		s.nextRun()
		s.world.preview = func(_ int, r *resolved.Configuration) { r.Service = service }
		_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12})
		if p := wantProblem(t, err, "shop-pr-12 is not removed", "the preview's service is "+service); p.Status != problem.Partial {
			t.Errorf("status %d", p.Status)
		}
		s.wantLog("-1: config --version production", "12: config")
	}
}

func TestRemove_LeavesNothing(t *testing.T) {
	s := newScene(t, "192.0.2.1", "192.0.2.2")
	empty := s.world.productions()
	for _, n := range []int{1, 10, 12} {
		s.github.AddPull(githubtest.Pull{Number: n})
		s.deploy(n)
	}
	s.deploy(12) // older containers, as after several pushes
	ten := s.world.of("shop-pr-10")
	for _, n := range []int{12, 1} {
		if s.world.of(fmt.Sprintf("shop-pr-%d", n)) == "" {
			t.Fatal("nothing was deployed")
		}
		s.nextRun()
		out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: n, Why: "closed"})
		if err != nil {
			t.Fatalf("%v\n%s", err, details(err))
		}
		if !slices.Equal(out.Removed, []int{n}) {
			t.Errorf("removed %v", out.Removed)
		}
		if left := s.world.of(fmt.Sprintf("shop-pr-%d", n)); left != "" {
			t.Errorf("left of %d:\n%s", n, left)
		}
		s.has(s.comment(n), fmt.Sprintf("**The preview `shop-pr-%d` was removed**", n))
	}
	if got := s.world.of("shop-pr-10"); got != ten {
		t.Errorf("pr-10 changed:\n%s\nwas\n%s", got, ten)
	}
	if got := s.world.productions(); got != empty {
		t.Errorf("production changed:\n%s\nwas\n%s", got, empty)
	}
	if got, want := s.states(), "pr-1=queued,in_progress,success,inactive pr-10=queued,in_progress,success pr-12=queued,in_progress,success,inactive pr-12=queued,in_progress,success,inactive"; got != want {
		t.Errorf("states\n%s, want\n%s", got, want)
	}
	// Once more there is nothing to do, and no new comment.
	s.nextRun()
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"}); err != nil {
		t.Fatal(err)
	}
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "0: server exec on 192.0.2.2")
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 15, Why: "closed"}); err != nil || len(s.github.Comments(15)) != 0 {
		t.Errorf("%v, %v", err, s.github.Comments(15))
	}
}

// Production's database is just being rebooted: its image has no container, and stays.
// So does one of which no container of ours tells that it is ours.
func TestRemove_ImageOfProductions(t *testing.T) {
	for service, image := range map[string]string{"shop-db": "postgres:16", "shop-pr-12-cache": "valkey:8"} {
		s := newScene(t)
		s.world.preview = func(_ int, r *resolved.Configuration) {
			r.Accessories["cache"] = accessory(r.Service+"-cache", "valkey:8", r.Hosts)
		}
		s.deploy(12)
		file := s.world.file("192.0.2.1")
		h := load(file)
		h.Containers = slices.DeleteFunc(h.Containers, func(c container) bool { return c.Labels["service"] == service })
		h.save(file)
		s.nextRun()
		if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"}); err != nil {
			t.Fatal(err)
		}
		has := func(image string) bool {
			return slices.ContainsFunc(load(file).Images, func(i dockerImage) bool { return slices.Contains(i.Tags, image) })
		}
		if !has(image) || !has("postgres:16") || has("valkey:8") != (service == "shop-pr-12-cache") {
			t.Errorf("without %s: %s is there: %v, valkey: %v", service, image, has(image), has("valkey:8"))
		}
	}
}

// Names that look like another's, or like a command.
func TestRemove_ExactNames(t *testing.T) {
	s := newScene(t)
	s.github.AddPull(githubtest.Pull{Number: 1})
	s.deploy(1)
	h := load(s.world.file("192.0.2.1"))
	others := []string{"shop-pr-10", "shop-pr-1x", "shop-pr-01", "shop-pr-1-", "xshop-pr-1", "shop-pr-11-db", "shop2-pr-1", "shop-pr-1\nshop-pr-1", "shop-pr-1$(id)", "shop-pr-1'; touch pwned; '"}
	for i, service := range others {
		h.Containers = append(h.Containers, container{ID: fmt.Sprintf("o%d", i), Name: "other", Labels: map[string]string{"service": service}})
	}
	hostile := []string{"shop-pr-1-$(touch pwned)", "shop-pr-1-`touch pwned`", "shop-pr-1-a b"}
	for i, service := range hostile {
		h.Containers = append(h.Containers, container{ID: hex12("d", i), Name: service, Labels: ours(map[string]string{"service": service}), Created: s.clk.now()})
		h.Containers[len(h.Containers)-1].Labels["kamal-op.review.number"] = "1"
	}
	h.Containers[len(h.Containers)-1].Mounts = []mount{{"volume", "shop-pr-1.dump"}}
	h.Volumes = append(h.Volumes, "shop-pr-10_x", "shop-pr-1x", "shop-pr-1.dump", "myshop-pr-1_x")
	h.Routes = append(h.Routes, "shop-pr-10-web-review")
	h.save(s.world.file("192.0.2.1"))
	for _, dir := range append(hostile, "shop-pr-10-db", "shop-pr-1x") {
		s.world.write("192.0.2.1", dir+"/x")
	}
	s.nextRun()
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 1, Why: "closed"})
	// What cannot be named safely is left, and said.
	p := wantProblem(t, err, "shop-pr-1 is not removed", "shop-pr-1-$(touch pwned)", "shop-pr-1-a b")
	if said := strings.Join(p.Details, "\n"); strings.Contains(said, "other") || strings.Contains(said, "pr-10") {
		t.Errorf("another's is taken for its own:\n%s", said)
	}
	h = load(s.world.file("192.0.2.1"))
	var left []string
	for _, c := range h.Containers {
		if !strings.HasPrefix(c.Labels["service"], "shop-db") && c.Labels["service"] != "shop" {
			left = append(left, c.Labels["service"])
		}
	}
	if !slices.Equal(left, others) {
		t.Errorf("left %q, want %q", left, others)
	}
	if !slices.Contains(h.Volumes, "shop-pr-10_x") || !slices.Contains(h.Volumes, "shop-pr-1x") || slices.Contains(h.Volumes, "shop-pr-1.dump") || !slices.Contains(h.Volumes, "myshop-pr-1_x") {
		t.Errorf("volumes %q", h.Volumes)
	}
	for _, dir := range []string{"shop-pr-10-db", "shop-pr-1x"} {
		if _, err := os.Stat(filepath.Join(s.world.home("192.0.2.1"), dir)); err != nil {
			t.Errorf("%s is gone", dir)
		}
	}
	if _, err := os.Stat(filepath.Join(s.world.home("192.0.2.1"), "pwned")); err == nil {
		t.Error("a name was run as a command")
	}
}

func TestRemove_WhatCannotBeReached(t *testing.T) {
	s := newScene(t, "192.0.2.1", "192.0.2.2")
	s.deploy(12)
	s.world.down["192.0.2.2"] = true
	s.nextRun()
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"})
	p := wantProblem(t, err, "shop-pr-12 is not removed: not every host can be reached", "192.0.2.2", "the next sweep takes it")
	if p.Status != problem.Partial {
		t.Errorf("status %d", p.Status)
	}
	s.has(s.comment(12), "could not be removed wholly", "192.0.2.2 did not say what is there")
	if strings.Contains(s.states(), "inactive") {
		t.Errorf("states %s", s.states())
	}
	delete(s.world.down, "192.0.2.2")
	s.github.AddPull(githubtest.Pull{Number: 12, Closed: true})
	s.nextRun()
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep})
	if err != nil || !slices.Equal(out.Removed, []int{12}) || s.world.of("shop-pr-12") != "" {
		t.Errorf("%v, %v, left\n%s", err, out.Removed, s.world.of("shop-pr-12"))
	}
	s.has(s.comment(12), "was removed")
}

// A deploy that is under way holds Kamal's lock: its preview is not torn from under it.
func TestRemove_WhileItIsDeployed(t *testing.T) {
	s := newScene(t)
	s.world.write("192.0.2.1", ".kamal/lock-shop-pr-12-review/details")
	s.nextRun()
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"})
	if p := wantProblem(t, err, "shop-pr-12 is not removed", "deploy lock found"); p.Status != problem.Partial {
		t.Errorf("status %d", p.Status)
	}
	if _, err := os.Stat(filepath.Join(s.world.home("192.0.2.1"), ".kamal/lock-shop-pr-12-review/details")); err != nil {
		t.Error("the lock was taken away")
	}
}

// The other run has let go of the lock, and has not removed all yet: what is left is
// removed by both. Where it was a deploy, its preview stays.
func TestRemove_LockThatIsLetGo(t *testing.T) {
	for _, deployed := range []bool{false, true} {
		t.Run(fmt.Sprintf("deployed=%v", deployed), func(t *testing.T) {
			s := newScene(t)
			s.deploy(12)
			lock := filepath.Join(s.world.home("192.0.2.1"), ".kamal/lock-shop-pr-12-review")
			s.world.write("192.0.2.1", ".kamal/lock-shop-pr-12-review/details")
			refused, removals := false, 0
			s.world.before = func(command string) {
				if strings.HasPrefix(command, "app remove") {
					refused = true
					removals++
					return
				}
				if !refused || !strings.HasPrefix(command, "server exec") {
					return
				}
				refused = false
				if err := os.RemoveAll(lock); err != nil {
					t.Fatal(err)
				}
				if deployed {
					s.world.newer("shop-pr-12")
				}
			}
			s.nextRun()
			out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"})
			if deployed {
				wantProblem(t, err, "shop-pr-12 is not removed", "deploy lock found")
				if removals != 1 || s.world.of("shop-pr-12") == "" {
					t.Errorf("removed %d times, left\n%s", removals, s.world.of("shop-pr-12"))
				}
				s.has(s.comment(12), "could not be removed wholly")
				return
			}
			if err != nil || !slices.Equal(out.Removed, []int{12}) || s.world.of("shop-pr-12") != "" {
				t.Fatalf("%v, left\n%s", err, s.world.of("shop-pr-12"))
			}
			s.has(s.comment(12), "was removed")
		})
	}
}

// A deploy that begins between the removal's steps keeps its lock.
func TestRemove_LockThatComesBetween(t *testing.T) {
	s := newScene(t)
	s.deploy(12)
	removed := false
	s.world.before = func(command string) {
		if removed && strings.HasPrefix(command, "server exec") {
			s.world.write("192.0.2.1", ".kamal/lock-shop-pr-12-review/details")
			removed = false
		}
		removed = removed || strings.HasPrefix(command, "app remove")
	}
	s.nextRun()
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"})
	wantProblem(t, err, "shop-pr-12 is not removed", ".kamal/lock-shop-pr-12-review")
	if _, err := os.Stat(filepath.Join(s.world.home("192.0.2.1"), ".kamal/lock-shop-pr-12-review/details")); err != nil {
		t.Error("the lock was taken away")
	}
}

// A sweep and the event that a pull request was closed may come at the same time:
// both say in the end that it is removed.
func TestRemove_BesideAnotherRun(t *testing.T) {
	s := newScene(t)
	s.deploy(12)
	lock := filepath.Join(s.world.home("192.0.2.1"), ".kamal/lock-shop-pr-12-review")
	s.world.write("192.0.2.1", ".kamal/lock-shop-pr-12-review/details")
	refused, looks := false, 0
	s.world.before = func(command string) {
		switch {
		case strings.HasPrefix(command, "app remove"):
			refused = true
		case refused && strings.HasPrefix(command, "server exec"):
			if looks++; looks < 3 {
				return
			}
			// The other run, which has the lock, ends.
			s.world.before = nil
			if err := os.RemoveAll(lock); err != nil {
				t.Fatal(err)
			}
			if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "swept"}); err != nil {
				t.Fatalf("%v\n%s", err, details(err))
			}
		}
	}
	s.nextRun()
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"})
	if err != nil || !slices.Equal(out.Removed, []int{12}) {
		t.Fatalf("%v\n%s", err, details(err))
	}
	if looks != 3 {
		t.Errorf("looked %d times", looks)
	}
	s.has(s.comment(12), "was removed")
}

// What a run beside this one has put there meanwhile is taken as well.
func TestRemove_WhatComesBetween(t *testing.T) {
	s := newScene(t)
	s.deploy(12)
	cleared := 0
	s.world.before = func(command string) {
		if strings.HasPrefix(command, "app remove") {
			cleared = 1
		} else if cleared > 0 && strings.HasPrefix(command, "server exec") {
			if cleared++; cleared == 3 { // behind the removal, before it is looked at
				s.world.write("192.0.2.1", ".kamal/shop-pr-12-review-audit.log")
			}
		}
	}
	s.nextRun()
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"}); err != nil {
		t.Fatalf("%v\n%s", err, details(err))
	}
	if left := s.world.of("shop-pr-12"); left != "" {
		t.Errorf("left:\n%s", left)
	}
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: app remove", "12: server exec on 192.0.2.1",
		"0: server exec on 192.0.2.1", "12: server exec on 192.0.2.1", "0: server exec on 192.0.2.1")
}

func TestParseTask(t *testing.T) {
	for text, want := range map[string]review.Task{
		"db: createdb {database} || true": {Accessory: "db", Command: "createdb {database} || true"},
		"my-db:\tx":                       {Accessory: "my-db", Command: "x"},
		"bin/rails db:prepare":            {Command: "bin/rails db:prepare"},
		"db:prepare":                      {Command: "db:prepare"},
		" a ":                             {Command: "a"},
	} {
		if got, err := review.ParseTask(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "  ", "db:", "db: "} {
		if got, err := review.ParseTask(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestRemove_DatabaseThatStays(t *testing.T) {
	s := newScene(t)
	s.deploy(12)
	s.review.Project.Drop = []review.Task{{Accessory: "db", Command: "dropdb {database}"}}
	s.world.fail["accessory exec"] = problem.Newf("dropdb: database is being accessed by other users")
	s.nextRun()
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12, Why: "closed"})
	if p := wantProblem(t, err, "shop-pr-12 is removed, but what it had in the database is not", "being accessed"); p.Status != problem.Partial {
		t.Errorf("status %d", p.Status)
	}
	if left := s.world.of("shop-pr-12"); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

func TestDeploy_FailsAndSaysWhy(t *testing.T) {
	s := newScene(t)
	s.world.fail["setup"] = &problem.Problem{
		Message: "the new container on 192.0.2.1 never became healthy", Hint: "look at its log",
		Details: []string{"boom ``` @acme/everyone <!-- kamal-op:review:shop-pr-12 -->", "\x1b[31mred\x1b[0m #1 https://evil.example"}, Status: 1,
	}
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
	wantProblem(t, err, "never became healthy")
	if got, want := s.states(), "pr-12=queued,in_progress,failure"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	s.has(s.comment(12), "could not be deployed", "✗ `the new container on 192.0.2.1 never became healthy`",
		"````text\nboom ``` @acme/everyone", "What helps: `look at its log`")
	if strings.Contains(s.comment(12), "\x1b") {
		t.Error("a control character in the comment")
	}
	for _, st := range s.github.Deployments()[0].Statuses {
		if st.GetState() == "failure" && st.GetLogURL() == "" {
			t.Error("no link to the log")
		}
	}
}

func TestDeploy_NotReady(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(*proxy)
		says []string
	}{
		{"502", func(p *proxy) { p.status = func(string) int { return 502 } }, []string{"it answers 502 Bad Gateway", "app's log"}},
		{"404", func(p *proxy) { p.status = func(string) int { return 404 } }, []string{"it answers 404", "--ready-path"}},
		{"refused", func(p *proxy) { p.fail = errors.New("connection refused") }, []string{"connection refused", "kamal-proxy"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene(t)
			tc.set(s.proxy)
			_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
			p := wantProblem(t, err, append(tc.says, "the preview does not answer at http://pr-12.review.example.com/health after 2m0s")...)
			if p.Status != problem.TimedOut || len(s.proxy.asked) < 10 {
				t.Errorf("status %d after %d requests", p.Status, len(s.proxy.asked))
			}
			if got, want := s.states(), "pr-12=queued,in_progress,failure"; got != want {
				t.Errorf("states %s, want %s", got, want)
			}
		})
	}
	t.Run("answers later, and with a login", func(t *testing.T) {
		s := newScene(t)
		n := 0
		s.proxy.status = func(string) int {
			if n++; n < 4 {
				return 503
			}
			return 401
		}
		s.deploy(12)
	})
	t.Run("a name without an address", func(t *testing.T) {
		s := newScene(t)
		s.review.Project.Transport = nil
		s.review.Project.Host = "nowhere.invalid"
		s.review.Project.Timeout = time.Second
		_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
		wantProblem(t, err, "its host has no address", "wildcard record")
	})
	t.Run("a certificate that does not fit", func(t *testing.T) {
		s := newScene(t)
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.StartTLS()
		defer srv.Close()
		to, err := url.Parse(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{DisableKeepAlives: true}
		s.review.Project.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			r.URL.Host, r.URL.Scheme = to.Host, "https"
			return tr.RoundTrip(r)
		})
		_, err = s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
		wantProblem(t, err, "its certificate is not accepted")
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Cancelled at any command: the deployment ends, and the comment says so.
func TestDeploy_Cancelled(t *testing.T) {
	s := newScene(t)
	s.deploy(12)
	commands := len(s.world.log)
	for n := 1; n <= commands; n++ {
		s := newScene(t)
		ctx, cancel := context.WithCancel(t.Context())
		at := 0
		s.world.before = func(string) {
			if at++; at == n {
				cancel()
				s.world.fail[""] = context.Canceled
			}
		}
		_, err := s.review.Carry(ctx, review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("at command %d: %v", n, err)
		}
		if !strings.HasSuffix(s.states(), ",error") {
			t.Errorf("at command %d: states %s", n, s.states())
		}
		s.has(s.comment(12), "was cancelled while it was being deployed")
	}
}

// Cancelled in the last moment, when it is up already.
func TestDeploy_CancelledWhenUp(t *testing.T) {
	s := newScene(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.proxy.status = func(string) int { cancel(); return 200 }
	if _, err := s.review.Carry(ctx, review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.states(), "pr-12=queued,in_progress,success"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	s.has(s.comment(12), "is up")
}

// GitHub fails for a while: the deploy does not wait for each thing it would tell,
// and what stays is told in the end.
func TestDeploy_GitHubFailsForAWhile(t *testing.T) {
	s := newScene(t)
	began := s.clk.now()
	s.github.Inject(func(c githubtest.Call) githubtest.Fault {
		if c.Method == http.MethodPost && s.clk.now().Sub(began) < 2*time.Minute && !strings.HasSuffix(c.Path, "/graphql") {
			return githubtest.BadGateway
		}
		return githubtest.None
	})
	s.world.before = func(command string) {
		if command != "setup" && s.clk.now().Sub(began) > time.Minute+30*time.Second {
			t.Errorf("%s waited %s for GitHub", command, s.clk.now().Sub(began))
		}
		if strings.HasPrefix(command, "setup") {
			_ = s.clk.sleep(t.Context(), 3*time.Minute)
		}
	}
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
	if err != nil || len(out.Untold) != 1 {
		t.Errorf("%v, untold %v", err, out.Untold)
	}
	s.has(s.comment(12), "is up")
}

// Killed: the step that comes after ends what was left unfinished.
func TestEndKilled(t *testing.T) {
	s := newScene(t)
	plan := review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)}
	s.world.before = func(command string) {
		if strings.HasPrefix(command, "setup") {
			panic("killed")
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = s.review.Carry(t.Context(), plan)
	}()
	if got, want := s.states(), "pr-12=queued,in_progress"; got != want {
		t.Fatalf("states %s, want %s", got, want)
	}
	if err := s.review.EndKilled(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if got, want := s.states(), "pr-12=queued,in_progress,error"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
	s.has(s.comment(12), "the run that deployed it was killed")
	before := s.comment(12)
	if err := s.review.EndKilled(t.Context(), plan); err != nil || s.comment(12) != before {
		t.Errorf("again: %v", err)
	}
}

func TestDeploy_LaterOneWins(t *testing.T) {
	s := newScene(t)
	// Overtaken before it began.
	s.github.AddPull(githubtest.Pull{Number: 12, SHA: githubtest.SHA(99)})
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
	if err != nil || out.Plan.Do != review.Nothing || len(s.world.log) != 0 || len(s.github.Deployments()) != 0 {
		t.Errorf("%+v, %v, %v", out.Plan, err, s.world.log)
	}
	// Overtaken while it was getting ready.
	s.world.before = func(command string) {
		if strings.HasPrefix(command, "server exec") {
			s.github.AddPull(githubtest.Pull{Number: 12, SHA: githubtest.SHA(77)})
		}
	}
	s.nextRun()
	out, err = s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(99)})
	if err != nil || out.Plan.Do != review.Nothing || s.states() != "pr-12=queued,inactive" {
		t.Errorf("%+v, %v, %s", out.Plan, err, s.states())
	}
	// A late run does not write over a later one's comment.
	s.world.before = nil
	s.github.AddPull(githubtest.Pull{Number: 12, SHA: githubtest.SHA(12)})
	s.deploy(12)
	s.review.Run.ID -= 2
	s.world.fail["deploy"] = problem.Newf("late")
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)}); err == nil {
		t.Fatal("no error")
	}
	s.has(s.comment(12), "is up")
}

// Closed while it was being deployed: nothing of it stays.
func TestDeploy_ClosedMeanwhile(t *testing.T) {
	s := newScene(t)
	s.world.before = func(command string) {
		if strings.HasPrefix(command, "setup") {
			s.github.AddPull(githubtest.Pull{Number: 12, Closed: true})
		}
	}
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
	if err != nil || out.Plan.Do != review.Nothing {
		t.Fatalf("%+v, %v", out.Plan, err)
	}
	if left := s.world.of("shop-pr-12"); left != "" {
		t.Errorf("left:\n%s", left)
	}
	if got, want := s.states(), "pr-12=queued,in_progress,inactive"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
}

func TestDeploy_Limit(t *testing.T) {
	s := newScene(t)
	s.review.Project.Limit = 2
	s.review.Project.Keep = "keep"
	for n := 1; n <= 4; n++ {
		s.github.AddPull(githubtest.Pull{Number: n})
	}
	s.github.AddPull(githubtest.Pull{Number: 1, Labels: []string{"keep"}})
	for n := 1; n <= 3; n++ {
		s.deploy(n)
		s.clk.at = s.clk.at.Add(time.Hour)
	}
	running := func() (list []int) {
		for n := 1; n <= 4; n++ {
			if s.world.of(fmt.Sprintf("shop-pr-%d", n)) != "" {
				list = append(list, n)
			}
		}
		return list
	}
	// 1 is the oldest, but kept.
	if got := running(); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("running %v", got)
	}
	s.has(s.comment(2), "was removed")
	s.review.Project.Full = review.NewWaits
	s.nextRun()
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 4, SHA: githubtest.SHA(4)})
	if err != nil || out.Plan.Do != review.Nothing || !slices.Equal(running(), []int{1, 3}) {
		t.Errorf("%+v, %v, %v", out.Plan, err, running())
	}
	s.has(s.comment(4), "is not deployed: 2 previews run already")
	s.deploy(3) // it has its place
	// One that was closed makes room.
	s.github.AddPull(githubtest.Pull{Number: 3, Closed: true})
	s.deploy(4)
	if got := running(); !slices.Equal(got, []int{1, 4}) {
		t.Errorf("running %v", got)
	}
}

func TestSweep(t *testing.T) {
	s := newScene(t, "192.0.2.1", "192.0.2.2")
	production := s.world.productions()
	s.review.Project.TTL = 5 * 24 * time.Hour
	s.review.Project.Keep = "keep"
	for n := 1; n <= 10; n++ {
		s.github.AddPull(githubtest.Pull{Number: n})
	}
	for _, n := range []int{1, 2, 3, 4, 10} {
		s.deploy(n)
	}
	s.github.AddPull(githubtest.Pull{Number: 1, Merged: true})
	s.github.AddPull(githubtest.Pull{Number: 3, Labels: []string{"Keep"}})
	s.clk.at = s.clk.at.Add(6 * 24 * time.Hour)
	s.deploy(10)
	now := s.clk.now()
	s.github.SetCommit(githubtest.SHA(2), now.Add(1000*time.Hour)) // who wrote it claims the future
	s.github.SetCommit(githubtest.SHA(4), now.Add(-time.Hour))     // pushed since, though that deploy failed
	s.nextRun()
	out, err := s.review.DryRun(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []string
	for _, v := range out.Verdicts {
		verdicts = append(verdicts, fmt.Sprintf("%d %v %s", v.Number, v.Remove, v.Why))
	}
	want := []string{"1 true closed", "2 true no push for 6 days", "3 false it has the label that keeps it", "4 false open", "10 false open"}
	if !slices.Equal(verdicts, want) {
		t.Errorf("%q, want %q", verdicts, want)
	}
	for _, n := range []int{1, 2, 3, 4, 10} {
		if s.world.of(fmt.Sprintf("shop-pr-%d", n)) == "" {
			t.Fatalf("a dry run removed %d", n)
		}
	}
	s.nextRun()
	out, err = s.review.Carry(t.Context(), review.Plan{Do: review.Sweep})
	if err != nil || !slices.Equal(out.Removed, []int{1, 2}) || out.Untold != nil {
		t.Errorf("%v, removed %v, untold %v", err, out.Removed, out.Untold)
	}
	for n, there := range map[int]bool{1: false, 2: false, 3: true, 4: true, 10: true} {
		if got := s.world.of(fmt.Sprintf("shop-pr-%d", n)) != ""; got != there {
			t.Errorf("%d is there: %v", n, got)
		}
	}
	for n := 1; n <= 10; n++ {
		s.github.AddPull(githubtest.Pull{Number: n, Closed: true})
	}
	s.nextRun()
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep}); err != nil {
		t.Fatalf("%v\n%s", err, details(err))
	}
	if got := s.world.productions(); got != production {
		t.Errorf("production changed:\n%s\nwas\n%s", got, production)
	}
	for n := range 11 {
		if left := s.world.of(fmt.Sprintf("shop-pr-%d", n)); left != "" {
			t.Errorf("left of %d:\n%s", n, left)
		}
	}
	s.nextRun()
	if out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep}); err != nil || len(out.Verdicts) != 0 {
		t.Errorf("%v, %v", err, out.Verdicts)
	}
}

// One that cannot be removed stops no other, and the sweep says so.
func TestSweep_InPart(t *testing.T) {
	s := newScene(t)
	for n := 1; n <= 3; n++ {
		s.github.AddPull(githubtest.Pull{Number: n})
		s.deploy(n)
		s.github.AddPull(githubtest.Pull{Number: n, Closed: true})
	}
	s.world.write("192.0.2.1", ".kamal/lock-shop-pr-2-review/details")
	s.nextRun()
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep})
	p := wantProblem(t, err, "shop-pr-2 is not removed", "deploy lock found")
	if p.Status != problem.Partial || problem.Status(err) != problem.Partial || !slices.Equal(out.Removed, []int{1, 3}) {
		t.Errorf("status %d, removed %v", problem.Status(err), out.Removed)
	}
	s.has(s.comment(2), "could not be removed wholly")
	s.has(s.comment(3), "was removed")
}

// Where the open pull requests cannot be asked for, nothing is removed.
func TestSweep_WithoutAnAnswer(t *testing.T) {
	s := newScene(t)
	s.deploy(12)
	there := s.world.of("shop-pr-12")
	s.github.AddPull(githubtest.Pull{Number: 12, Closed: true})
	for _, path := range []string{"/pulls", "/pulls/12"} {
		s.github.Inject(func(c githubtest.Call) githubtest.Fault {
			if strings.HasSuffix(c.Path, path) {
				return githubtest.BadGateway
			}
			return githubtest.None
		})
		s.nextRun()
		if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep}); err == nil {
			t.Error("no error")
		}
		if got := s.world.of("shop-pr-12"); got != there {
			t.Errorf("changed:\n%s", got)
		}
	}
}

// One pull request is closed while the pages are read: another moves forward, past
// the page that is read next. It is open, and stays.
func TestSweep_ListThatMoves(t *testing.T) {
	s := newScene(t)
	for n := 16; n <= 17; n++ {
		s.github.AddPull(githubtest.Pull{Number: n})
	}
	s.deploy(16)
	s.github.SetPageSize(1)
	pages := 0
	s.review.GitHub = testClient(t, s.github, s.clk, roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/pulls") {
			if pages++; pages == 2 {
				s.github.AddPull(githubtest.Pull{Number: 17, Closed: true})
			}
		}
		return (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	}))
	s.nextRun()
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep})
	if err != nil || len(out.Removed) != 0 || len(out.Verdicts) != 1 || !out.Verdicts[0].Closed || pages < 3 {
		t.Errorf("%v, removed %v, %+v, %d pages", err, out.Removed, out.Verdicts, pages)
	}
	if s.world.of("shop-pr-16") == "" {
		t.Error("an open pull request's preview is gone")
	}
}

// Missing permissions fail nothing, and are said.
func TestDeploy_WithoutPermissions(t *testing.T) {
	s := newScene(t)
	s.github.AddToken("t", githubtest.Token{Login: robot, Workflow: true, Permissions: map[string]string{"pull-requests": "read"}})
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)})
	if err != nil || out.URL == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	var hints []string
	for _, p := range out.Untold {
		hints = append(hints, p.Hint)
	}
	all := strings.Join(hints, "\n")
	if len(out.Untold) != 2 || !strings.Contains(all, "`permissions: deployments: write`") || !strings.Contains(all, "`permissions: pull-requests: write`") {
		t.Errorf("untold: %v\n%s", out.Untold, all)
	}
}

// Without GitHub a preview is deployed and removed all the same.
func TestDeploy_WithoutGitHub(t *testing.T) {
	s := newScene(t)
	s.review.GitHub = nil
	s.deploy(12)
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12}); err != nil {
		t.Fatal(err)
	}
	if left := s.world.of("shop-pr-12"); left != "" {
		t.Errorf("left:\n%s", left)
	}
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep}); err == nil {
		t.Error("swept without asking GitHub")
	}
}

// Who commanded by comment is answered.
func TestCarry_Reactions(t *testing.T) {
	s := newScene(t)
	said := s.github.AddComment(15, "alice", "/deploy")
	for _, reaction := range []string{"eyes", "-1"} {
		do := review.Nothing
		if reaction == "eyes" {
			do = review.Deploy
			s.github.AddPull(githubtest.Pull{Number: 15})
		}
		if _, err := s.review.Carry(t.Context(), review.Plan{Do: do, Number: 15, SHA: githubtest.SHA(15), Comment: said, Reaction: reaction}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.github.Reactions(said); !slices.Equal(got, []string{"eyes", "-1"}) {
		t.Errorf("reactions %q", got)
	}
}

// A host's answer that is cut short is not taken for all of it.
func TestInventory_CutShort(t *testing.T) {
	s := newScene(t)
	s.deploy(12)
	s.world.cut = true
	s.nextRun()
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12})
	wantProblem(t, err, "shop-pr-12 is not removed", "its answer was cut short")
}

func TestList(t *testing.T) {
	s := newScene(t, "192.0.2.1", "192.0.2.2")
	s.deploy(12)
	s.github.AddPull(githubtest.Pull{Number: 16})
	s.deploy(16)
	s.github.AddPull(githubtest.Pull{Number: 12, Closed: true})
	list, err := s.review.List(t.Context(), 0)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	got := list[0]
	if got.Number != 12 || got.Service != "shop-pr-12" || got.URL != "http://pr-12.review.example.com" || !got.Running || got.Pull != "closed" || got.Deployed.IsZero() || !slices.Equal(got.Hosts, s.world.hosts) || got.Things != nil {
		t.Errorf("%+v", got)
	}
	if list[1].Pull != "open" {
		t.Errorf("%+v", list[1])
	}
	s.world.down["192.0.2.2"] = true
	list, err = s.review.List(t.Context(), 16)
	wantProblem(t, err, "192.0.2.2 did not say what is there")
	if len(list) != 1 || len(list[0].Things) < 5 {
		t.Errorf("%+v", list)
	}
}
