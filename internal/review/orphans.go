package review

import (
	"context"
	"errors"
	"slices"

	"github.com/kamal-op/kamal-op/internal/github"
)

// An Orphan is a preview on the hosts whose pull request is not open.
type Orphan struct {
	Service string
	Hosts   []string
}

// Orphans are the previews that a sweep would remove for that, and how many previews there
// are. open are the pull requests that were open before: of each that is not among them it is
// asked once more. What is not ours is none. Nothing is changed, and nothing told. The error
// says which hosts were silent; what the others said is given all the same.
func (r *Review) Orphans(ctx context.Context, open []github.PullRequest) (orphans []Orphan, all int, err error) {
	if err := r.labelled(); err != nil {
		return nil, 0, err
	}
	_, config, production, err := r.configured(ctx)
	if err != nil {
		return nil, 0, err
	}
	i, err := r.inventory(ctx, config.Hosts, production)
	if err != nil {
		return nil, 0, err
	}
	var errs []error
	for _, p := range i.Previews {
		if slices.ContainsFunc(open, func(pr github.PullRequest) bool { return pr.Number == p.Number }) {
			continue
		}
		// As in a sweep: a list of pages can miss one.
		if open, err := r.isOpen(ctx, p.Number); open || err != nil {
			errs = append(errs, err)
			continue
		}
		o := Orphan{Service: p.Service}
		for _, h := range p.Hosts {
			o.Hosts = append(o.Hosts, h.Host)
		}
		orphans = append(orphans, o)
	}
	return orphans, len(i.Previews), errors.Join(append(errs, silent(i))...)
}
