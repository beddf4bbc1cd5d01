package e2e

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// reviewStep is a step of the action in a pull request's job, as an event begins it:
// the head is the workspace, and GitHub is where a container reaches it.
func (h *theater) reviewStep(number int, event string) (*step, result) {
	h.t.Helper()
	d := h.heads[number]
	c := *h.scene
	c.project = d.project
	inputs := c.connectInputs()
	maps.Copy(inputs, map[string]string{
		"command": "review", "review-host": h.project.Domain, "shared-accessories": "cache", "github-token": h.token,
	})
	s := c.newStep(inputs)
	h.payload(filepath.Join(s.temp, "_github_workflow", "event.json"), number, event)
	job := h.job()
	for _, name := range []string{"GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT"} {
		s.env[name] = job[name]
	}
	maps.Copy(s.env, map[string]string{
		"GITHUB_EVENT_NAME": "pull_request", "GITHUB_SHA": d.sha,
		"GITHUB_API_URL": "http://" + forward(h.t, h.rig.gateway(h.t), strings.TrimPrefix(h.api.URL, "http://")),
	})
	// A wildcard record of the DNS.
	return s, s.start("--add-host", d.host+":"+h.servers[0].Address).wait()
}

// A preview from the event that opens its pull request to the one that closes it,
// each a step of the action in the action's own image.
func TestReviewAppInTheAction(t *testing.T) {
	t.Parallel()
	h := newTheater(t, 1)
	one := h.heads[1]
	version := "pr-1-" + one.sha

	s, res := h.reviewStep(1, "opened")
	res = s.shown(res)
	h.succeeded(res)
	h.serves(one.host, version)
	h.told(1, one.url, "success")
	h.unlocked()
	s.clean()
	outputs := values(s.file("GITHUB_OUTPUT"))
	if outputs["url"] != one.url || outputs["version"] != version {
		t.Errorf("the outputs are %q", outputs)
	}
	if summary := s.file("GITHUB_STEP_SUMMARY"); !strings.Contains(summary, one.url) || !strings.Contains(summary, "RAILS_MASTER_KEY") {
		t.Errorf("the summary does not say where the preview is, and of which secrets:\n%s", summary)
	}
	// The post step of a run that ended in order has nothing to end.
	_, res = s.post()
	res.Log = withoutMasks(res.Log)
	h.succeeded(res)
	h.told(1, one.url, "success")

	h.close(1)
	s, res = h.reviewStep(1, "closed")
	h.succeeded(s.shown(res))
	h.told(1, "was removed", "inactive")
	s.clean()
	if left := h.previews(); left != "" {
		t.Errorf("left of the preview:\n%s", left)
	}
}
