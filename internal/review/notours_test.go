package review_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// another puts an app on a host that is called like a preview and is another's: with
// its accessory, images, volumes, routes and files.
func (s *scene) another(service string, labels map[string]string) {
	at := s.world.hosts[0]
	h := load(s.world.file(at))
	with := func(more map[string]string) map[string]string {
		for k, v := range labels {
			more[k] = v
		}
		return more
	}
	h.Images = append(h.Images,
		dockerImage{ID: "sha256:" + strings.Repeat("a", 64), Tags: []string{"another:1"}, Labels: with(map[string]string{"service": service})},
		dockerImage{ID: "sha256:" + strings.Repeat("b", 64), Tags: []string{"another:0"}, Labels: with(map[string]string{"service": service})})
	h.Containers = append(h.Containers,
		container{ID: strings.Repeat("a", 64), Name: service + "-web-1", Image: "another:1", Labels: with(map[string]string{"service": service, "role": "web", "destination": ""}), Created: s.clk.now(), Running: true, Mounts: []mount{{"volume", service + "_data"}}},
		container{ID: strings.Repeat("b", 64), Name: service + "-db", Image: "postgres:16", Labels: with(map[string]string{"service": service + "-db"}), Created: s.clk.now(), Running: true})
	h.Volumes = append(h.Volumes, service+"_data", service+"-backup")
	h.Routes = append(h.Routes, service+"-web")
	h.save(s.world.file(at))
	s.world.write(at, service+"-db/data/base")
	s.world.write(at, ".kamal/apps/"+service+"/env/x")
}

// Who else than the preview has its name: by what labels.
var anothers = map[string]map[string]string{
	"no label of ours":   nil,
	"another repository": {"kamal-op.review.service": "shop", "kamal-op.review.repository": "acme/other", "kamal-op.review.number": "3"},
	"another service":    {"kamal-op.review.service": "sho", "kamal-op.review.repository": "acme/shop", "kamal-op.review.number": "3"},
	"another number":     {"kamal-op.review.service": "shop", "kamal-op.review.repository": "acme/shop", "kamal-op.review.number": "33"},
}

// What does not bear our labels is named, and never touched: not by a sweep, a
// removal or a deploy.
func TestReview_TouchesNothingWithoutItsLabels(t *testing.T) {
	for name, labels := range anothers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.another("shop-pr-3", labels)
			before := s.world.of("shop-pr-3")
			s.github.AddPull(githubtest.Pull{Number: 3, Closed: true})
			unchanged := func(after string) {
				t.Helper()
				if now := s.world.of("shop-pr-3"); now != before {
					t.Errorf("after %s there is\n%s\nwas\n%s", after, now, before)
				}
			}
			wantNotOurs := []string{
				"192.0.2.1: container shop-pr-3-web-1", "192.0.2.1: container shop-pr-3-db",
				"192.0.2.1: image sha256:" + strings.Repeat("a", 64), "192.0.2.1: image sha256:" + strings.Repeat("b", 64),
				"192.0.2.1: volume shop-pr-3_data", "192.0.2.1: volume shop-pr-3-backup",
				"192.0.2.1: kamal-proxy's shop-pr-3-web", "192.0.2.1: shop-pr-3-db",
			}
			for _, do := range []review.Deed{review.Sweep, review.Remove} {
				s.nextRun()
				out, err := s.review.Carry(t.Context(), review.Plan{Do: do, Number: 3})
				if err != nil || len(out.Verdicts) != 0 || !slices.Equal(out.NotOurs, wantNotOurs) {
					t.Errorf("%s: %v, %v, not ours are\n%s", do, err, out.Verdicts, strings.Join(out.NotOurs, "\n"))
				}
				s.has(strings.Join(s.said, "\n"), "not ours: 192.0.2.1: container shop-pr-3-web-1")
				unchanged(string(do))
			}
			s.nextRun()
			s.github.AddPull(githubtest.Pull{Number: 3})
			_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Deploy, Number: 3, SHA: githubtest.SHA(3)})
			p := wantProblem(t, err, "shop-pr-3-web-1 on 192.0.2.1 has the name of the preview shop-pr-3 and is not ours", "shop-pr-3-db on 192.0.2.1")
			if p.Status != problem.Found {
				t.Errorf("status %d", p.Status)
			}
			unchanged("a deploy")
			list, err := s.review.List(t.Context(), 0)
			if err != nil || len(list) != 1 || list[0].Ours() || !slices.Equal(list[0].NotOurs, wantNotOurs) {
				t.Errorf("listed is %+v, %v", list, err)
			}
		})
	}
}

// Beside something of another's that has its name, a preview is removed by our labels
// and not by Kamal, which goes by the service alone.
func TestRemove_BesideAnothers(t *testing.T) {
	s := newScene(t)
	s.github.AddPull(githubtest.Pull{Number: 3})
	s.deploy(3)
	mine := s.world.of("shop-pr-3")
	s.another("shop-pr-3", map[string]string{"team": "other"})
	s.world.write("192.0.2.1", ".kamal/lock-shop-pr-3-review/details")
	s.nextRun()
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 3})
	wantProblem(t, err, "shop-pr-3 is not removed", "its deploy lock is held")
	if got := s.world.of("shop-pr-3"); !strings.Contains(got, strings.SplitN(mine, "\n", 2)[0]) {
		t.Errorf("removed under its lock:\n%s", got)
	}
	s.world.remove("192.0.2.1", ".kamal/lock-shop-pr-3-review")
	s.nextRun()
	if _, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 3}); err != nil {
		t.Fatalf("%v\n%s", err, details(err))
	}
	s.wantLog("-1: config --version production", "3: config", "0: server exec on 192.0.2.1", "3: server exec on 192.0.2.1", "0: server exec on 192.0.2.1")
	h := load(s.world.file("192.0.2.1"))
	var left []string
	for _, c := range h.Containers {
		if strings.HasPrefix(c.Labels["service"], "shop-pr-3") {
			left = append(left, c.Name)
		}
	}
	if !slices.Equal(left, []string{"shop-pr-3-web-1", "shop-pr-3-db"}) || !slices.Contains(h.Volumes, "shop-pr-3_data") || slices.Contains(h.Volumes, "shop-pr-3_storage") || !slices.Contains(h.Routes, "shop-pr-3-web") || slices.Contains(h.Routes, "shop-pr-3-web-review") {
		t.Errorf("left are %q, volumes %q, routes %q", left, h.Volumes, h.Routes)
	}
	images := 0
	for _, i := range h.Images {
		if i.Labels["service"] == "shop-pr-3" {
			images++
		}
	}
	if images != 2 {
		t.Errorf("%d images are left", images)
	}
}

// A preview of before the labels is left alone until it is deployed the next time: then
// all of it is ours.
func TestDeploy_GivesAnEarlierPreviewTheLabels(t *testing.T) {
	s := newScene(t)
	earlier := func(sha string) {
		a := app(t, 12)
		r := resolvedFor(a.Service, a.Destination, "pr-12-"+sha, a.Host, s.world.hosts)
		s.world.bootAccessory(r, "db", plain)
		s.world.boot(r, a.Service, plain)
	}
	earlier(githubtest.SHA(98))
	earlier(githubtest.SHA(99))
	before := s.world.of("shop-pr-12")
	s.nextRun()
	s.github.AddPull(githubtest.Pull{Number: 12, Closed: true})
	if out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep}); err != nil || len(out.NotOurs) < 5 || s.world.of("shop-pr-12") != before {
		t.Errorf("%v, not ours are %q, left\n%s", err, out.NotOurs, s.world.of("shop-pr-12"))
	}
	s.github.AddPull(githubtest.Pull{Number: 12})
	s.deploy(12)
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: accessory reboot db", "12: deploy", "12: server exec on 192.0.2.1")
	for _, c := range load(s.world.file("192.0.2.1")).Containers {
		if strings.HasPrefix(c.Labels["service"], "shop-pr-12") && c.Labels["kamal-op.review.number"] != "12" {
			t.Errorf("%s has no label", c.Name)
		}
	}
	s.nextRun()
	s.github.AddPull(githubtest.Pull{Number: 12, Closed: true})
	out, err := s.review.Carry(t.Context(), review.Plan{Do: review.Sweep})
	if err != nil || !slices.Equal(out.Removed, []int{12}) {
		t.Fatalf("%v\n%s", err, details(err))
	}
	if left := s.world.of("shop-pr-12"); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

// An accessory that keeps data in a volume without a name would lose them in a new
// container: it stays, and is said.
func TestDeploy_LeavesAnEarlierAccessoryWithNamelessData(t *testing.T) {
	s := newScene(t)
	a := app(t, 12)
	r := resolvedFor(a.Service, a.Destination, "pr-12-"+githubtest.SHA(99), a.Host, s.world.hosts)
	s.world.bootAccessory(r, "db", plain)
	s.world.boot(r, a.Service, plain)
	file := s.world.file("192.0.2.1")
	h := load(file)
	for i, c := range h.Containers {
		if c.Name == "shop-pr-12-db" {
			h.Containers[i].Mounts = []mount{{"volume", strings.Repeat("e", 64)}}
		}
	}
	h.save(file)
	s.deploy(12)
	s.wantLog("-1: config --version production", "12: config", "0: server exec on 192.0.2.1", "12: deploy", "12: server exec on 192.0.2.1")
	s.has(strings.Join(s.said, "\n"), "192.0.2.1: container shop-pr-12-db is left as it is")
}

// Without the repository nothing can be told from another's: nothing is begun.
func TestReview_NeedsTheRepository(t *testing.T) {
	s := newScene(t)
	s.review.Project.Repository = ""
	for _, do := range []review.Deed{review.Deploy, review.Remove, review.Sweep} {
		s.nextRun()
		_, err := s.review.Carry(t.Context(), review.Plan{Do: do, Number: 12, SHA: githubtest.SHA(12)})
		if p := wantProblem(t, err, "--repository OWNER/NAME"); p.Status != problem.Usage || len(s.world.log) != 0 {
			t.Errorf("%s: status %d, ran %q", do, p.Status, s.world.log)
		}
	}
	s.review.Project.Repository = "acme/shop --filter x"
	_, err := s.review.Carry(t.Context(), review.Plan{Do: review.Remove, Number: 12})
	if p := wantProblem(t, err, "is no repository"); p.Status != problem.Usage {
		t.Errorf("status %d", p.Status)
	}
}
