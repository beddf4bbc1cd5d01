package e2e

import "testing"

// One pull request by itself, from the event that opens it to the one that closes
// it: what `make test` deploys of review apps.
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
	h.succeeded(one.run(h.event(1, "closed"), h.command("event")...))
	h.told(1, "was removed", "inactive")
	if left := h.previews(); left != "" {
		t.Errorf("left of the preview:\n%s", left)
	}
}
