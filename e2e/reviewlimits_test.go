package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// gone fails the test where a preview still answers.
func (h *theater) gone(number int) {
	h.t.Helper()
	if status, err := get(h.servers[0].Address, h.heads[number].host); err != nil || status != http.StatusNotFound {
		h.t.Errorf("the preview of %d answers %d, %v", number, status, err)
	}
}

// says fails the test where a run did not end well, or does not say that.
func (h *theater) says(res result, want string) {
	h.t.Helper()
	h.succeeded(res)
	if !strings.Contains(res.Log, want) {
		h.t.Errorf("%q is not in the log\n%s", want, res.Log)
	}
}

// As many previews run as may, for as long as they may, and the label keeps one of
// either.
func TestReviewLimits(t *testing.T) {
	t.Parallel()
	h := newTheater(t, 1, 2)
	one, two := h.heads[1], h.heads[2]
	oneOnly := func(command string, args ...string) []string {
		return h.command(command, append(args, "--limit", "1")...)
	}
	h.succeeded(one.run(h.job(), oneOnly("deploy", "1")...))
	h.serves(one.host, "pr-1-"+one.sha)

	// There is one: another waits, or the oldest makes room.
	h.says(two.run(h.job(), oneOnly("deploy", "2", "--when-full", "new-waits")...), "1 previews run already, as many as may")
	h.gone(2)
	h.serves(one.host, "pr-1-"+one.sha)
	h.says(two.run(h.job(), oneOnly("deploy", "2")...), "removed "+one.service)
	h.gone(1)
	h.told(1, "was removed", "inactive")
	h.serves(two.host, "pr-2-"+two.sha)

	// With the label it makes room for nobody, and has no end.
	h.api.AddPull(githubtest.Pull{Number: 2, SHA: two.sha, Labels: []string{"keep"}})
	h.says(one.run(h.job(), oneOnly("deploy", "1", "--keep-label", "keep")...), "1 previews run already, as many as may")
	h.gone(1)
	for _, test := range []struct {
		say  string
		args []string
	}{
		{"keep " + two.service + ": it has the label that keeps it", []string{"--ttl", "1ms", "--keep-label", "keep"}},
		{"keep " + two.service + ": open", []string{"--ttl", "10d", "--keep-label", "another"}},
	} {
		h.says(h.main.run(h.job(), h.command("sweep", test.args...)...), test.say)
		h.serves(two.host, "pr-2-"+two.sha)
	}
	h.says(h.main.run(h.job(), h.command("sweep", "--ttl", "1ms", "--keep-label", "another")...), "remove "+two.service+": no push for ")
	h.gone(2)
	h.told(2, "was removed", "inactive", "inactive")
	if left := h.previews(); left != "" {
		t.Errorf("left of the previews:\n%s", left)
	}
}
