package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/doctor"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// areaPreviews is the review apps of the project.
const areaPreviews = "previews"

// previewsLimit is how long the hosts may take, which are asked one after another.
const previewsLimit = 5 * time.Minute

// CheckPreviews looks for previews whose pull request is not open. ask gives them, and how
// many previews there are; with an error it gives what is known all the same. A token that
// may not read pull requests is no fault: many a workflow has one for other things. One that
// GitHub does not accept is: it was good once.
func CheckPreviews(ask func(ctx context.Context) (orphans []review.Orphan, all int, err error)) doctor.Check {
	return doctor.Check{Area: areaPreviews, Name: "previews", Limit: previewsLimit, Look: func(ctx context.Context) (found []doctor.Finding) {
		orphans, all, err := ask(ctx)
		f := doctor.Finding{Area: areaPreviews, Check: "previews"}
		for _, o := range orphans {
			f := f
			f.About, f.State, f.Text = o.Service, doctor.Wrong, "is on "+strings.Join(o.Hosts, ", ")+", and its pull request is not open"
			f.Hint = "the sweep of review apps removes it: kamal-op review sweep"
			found = append(found, f)
		}
		for _, p := range problem.Of(err) {
			f := f
			f.State, f.Text, f.Details, f.Hint = doctor.Unseen, "which previews are left over: "+p.Message, p.Details, p.Hint
			switch denied := new(github.DeniedError); {
			case github.IsStale(p): // nobody looks at previews until it is renewed
				f.State = doctor.Wrong
			case errors.As(p, &denied):
				f.State, f.Text = doctor.Notice, "which previews are left over, is not looked at: "+p.Message
			}
			found = append(found, f)
		}
		if len(found) == 0 {
			f.State, f.Text = doctor.Well, fmt.Sprintf("previews on the hosts: %d, each of an open pull request", all)
			if all == 0 {
				f.Text = "no previews are on the hosts"
			}
			found = append(found, f)
		}
		return found
	}}
}
