package github

import "context"

// A Setting is what a repository is set to, as far as it bears on who gets its secrets.
type Setting struct {
	Private bool
	Forks   bool // it may be forked
}

// Setting asks for it. It needs `metadata: read`, which every token has.
func (c *Client) Setting(ctx context.Context) (Setting, error) {
	ctx, done := c.start(ctx)
	defer done()
	got, _, err := c.api.Repositories.Get(ctx, c.owner, c.repo)
	if err != nil {
		return Setting{}, c.tell(err, "asking for the repository's settings", readMetadata)
	}
	return Setting{Private: got.GetPrivate(), Forks: got.GetAllowForking()}, nil
}

// An Environment is how an environment of a repository is protected.
type Environment struct {
	There    bool
	Rules    int  // reviewers, a wait
	Branches bool // only some branches and tags may deploy to it
}

// Environment asks for one by its name. It needs `actions: read`.
func (c *Client) Environment(ctx context.Context, name string) (Environment, error) {
	ctx, done := c.start(ctx)
	defer done()
	got, _, err := c.api.Repositories.GetEnvironment(ctx, c.owner, c.repo, name)
	switch {
	case IsMissing(err):
		return Environment{}, nil
	case err != nil:
		return Environment{}, c.tell(err, "asking for the environment "+clean(name), readActions)
	}
	e := Environment{There: true, Branches: got.DeploymentBranchPolicy != nil}
	for _, rule := range got.ProtectionRules {
		if rule.GetType() != "branch_policy" {
			e.Rules++
		}
	}
	return e, nil
}

// Left is how many requests of its limit GitHub still takes with this token in this hour.
// Asking counts as none.
func (c *Client) Left(ctx context.Context) (left, limit int, err error) {
	ctx, done := c.start(ctx)
	defer done()
	got, _, err := c.api.RateLimit.Get(ctx)
	if err != nil {
		return 0, 0, c.tell(err, "asking how many requests are left", readMetadata)
	}
	return got.GetCore().Remaining, got.GetCore().Limit, nil
}
