package cli

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// previews are the review apps of the project, as the review commands would have them
// here; nil where it has none, no token for GitHub is given, or another destination's
// watch looks at them: previews belong to the production that they are held against.
func (p *doctorProject) previews() (*reviewing, error) {
	g, err := p.parseFor([]string{"review", "list"}, review.DefaultDestination)
	if err != nil {
		return nil, err
	}
	flags := g.Review.List.reviewFlags
	file := filepath.Clean(cmp.Or(p.given.ConfigFile, kamal.DefaultConfigFile))
	switch {
	case flags.ReviewHost == "", file != kamal.DefaultConfigFile, !flags.NoProduction && p.given.Destination != flags.ProductionDestination:
		return nil, nil
	}
	flags.Destination = "" // of inputs it is watch's own
	r, err := flags.begin(p.app)
	if err != nil {
		return nil, err
	}
	if r.github == nil {
		r.close()
		return nil, nil
	}
	r.review.Say = nil // the report has it
	return r, nil
}

// previewJob is the job that asks the hosts of the previews: with the SSH key, the secrets
// and the host keys that the project file has for them, where the line gives none.
func (p *doctorProject) previewJob(destination string) (j deploy.Job, err error) {
	g, err := p.again(destination)
	if err != nil {
		return j, err
	}
	j = p.job
	j.Project.Destination = destination
	if j.Wanted, err = p.wants(g.Watch.vaultFlags); err != nil {
		return j, err
	}
	j.Wanted.Pins, j.Wanted.PinRefs, err = hostKeys(g.Watch.HostKeys, p.loaded)
	return j, err
}

// ofPreviews says of what cannot be had for the previews alone whose it is: they may have an
// account of their own, whose vault watch's credentials do not see.
func (p *doctorProject) ofPreviews(err error, j deploy.Job) error {
	if !j.Wanted.AsksBeyond(p.job.Wanted) {
		return err
	}
	list := problem.Of(err)
	for _, one := range list {
		one.Details = append(one.Details, "it is asked for the previews alone: where they have a service account of their own, service-account-token takes watch's token and theirs, one a line")
	}
	return list
}

// orphans are the previews whose pull request is not open, and how many there are. GitHub
// is asked first: where the token may not read pull requests, nothing else is asked.
func (p *doctorProject) orphans(r *reviewing, j deploy.Job) func(ctx context.Context) ([]review.Orphan, int, error) {
	return func(ctx context.Context) (found []review.Orphan, all int, err error) {
		if p.backend == nil && (j.Wanted.AsksVault() || !j.Wanted.Loaded()) {
			return nil, 0, noCredentials()
		}
		open, err := r.github.OpenPullRequests(ctx)
		if err != nil {
			return nil, 0, err
		}
		config, err := p.config(ctx)
		if err != nil {
			return nil, 0, err
		}
		r.review.Project.Service = cmp.Or(r.review.Project.Service, config.Service.Or(""))
		series, err := j.Open(ctx)
		if err != nil {
			return nil, 0, p.ofPreviews(p.explainConnect(err), j)
		}
		r.review.Runner = runner{series}
		found, all, err = r.review.Orphans(ctx, open)
		return found, all, errors.Join(err, series.Close())
	}
}
