package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// One pull request by itself, from the event that opens it to the one that closes
// it, which watch tells until it is removed: what `make test` deploys of review apps.
func TestReviewApp(t *testing.T) {
	t.Parallel()
	h := newTheater(t, 1)
	one := h.heads[1]
	one.remember()
	h.succeeded(one.run(h.event(1, "opened"), h.command("event")...))
	h.serves(one.host, "pr-1-"+one.sha)
	h.told(1, "http://"+one.host, "success")
	h.clean(one.machine)
	h.unlocked()

	h.close(1)
	h.tellsLeftovers(one)
	h.succeeded(one.run(h.event(1, "closed"), h.command("event")...))
	h.told(1, "was removed", "inactive")
	if left := h.previews(); left != "" {
		t.Errorf("left of the preview:\n%s", left)
	}
}

// tellsLeftovers has watch look at production's hosts: of the previews it tells the one
// whose pull request is closed, and neither another team's production that is called like
// one. It has the options of review apps from the project's file.
func (h *theater) tellsLeftovers(closed *head) {
	h.t.Helper()
	h.project.write(".kamal/kamal-op.yml", "review-host: "+h.project.Domain+"\n")
	h.main.remember()
	res := h.main.run(h.job(), append([]string{"kamal-op", "watch", "--json"}, h.flags()...)...)
	h.ended(res, 3)
	h.clean(h.main)
	var report struct {
		Findings []struct{ Area, About, State, Text string }
	}
	if err := json.Unmarshal([]byte(res.Stdout), &report); err != nil {
		h.t.Fatalf("%v\n%s", err, res.Log)
	}
	var told []string
	for _, f := range report.Findings {
		if f.Area == "previews" {
			told = append(told, f.State+" "+f.About+" "+f.Text)
		}
	}
	if want := []string{"problem " + closed.service + " is on " + h.servers[0].Address + ", and its pull request is not open"}; !slices.Equal(told, want) {
		h.t.Errorf("of previews watch tells %q, want %q", told, want)
	}
	if err := os.Remove(filepath.Join(h.project.Dir, ".kamal/kamal-op.yml")); err != nil {
		h.t.Fatal(err)
	}
}
