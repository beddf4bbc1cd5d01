package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// removeOne removes the preview of one pull request.
func (r *Review) removeOne(ctx context.Context, p Plan) (out Outcome, err error) {
	out.Plan = p
	a, err := r.app(p.Number, "") // what runs there may be of another commit
	if err != nil {
		return out, err
	}
	if p.Number == 0 {
		return out, problem.Newf("the plan names no pull request")
	}
	if err := r.labelled(); err != nil {
		return out, err
	}
	out.App = a
	t := r.teller(p, a)
	t.react(ctx)
	production, err := r.production(ctx)
	if err != nil {
		err = partly(a, "production's configuration cannot be read", err)
	} else {
		out.NotOurs, err = r.remove(ctx, a, production)
	}
	if err == nil {
		out.Removed = []int{a.Number}
	}
	t.removed(ctx, err)
	out.Untold, out.Took = t.untold, r.now().Sub(t.began)
	return out, err
}

// remove takes away everything of a preview, or says what of it is left; what has its
// name and not our labels is given back, and not touched. Never with `kamal remove`:
// that takes shared accessories and logs the hosts out. Nor with `kamal accessory
// remove`: that takes the accessory's image by force, also from under production's.
func (r *Review) remove(ctx context.Context, a App, production *resolved.Configuration) (notOurs []string, err error) {
	config, err := r.resolve(ctx, a)
	if err != nil {
		return nil, partly(a, "its configuration cannot be read", err)
	}
	// Above all this: with production's service in it, `app remove` would take
	// production.
	if err := r.Project.checkNames(a, config); err != nil {
		return nil, partly(a, "its configuration is not its own", err)
	}
	before, err := r.inventory(ctx, config.Hosts, production)
	if err != nil {
		return nil, err
	}
	there, known := before.Find(a.Number)
	foreign := before.foreign(a.Number)
	notOurs = r.notOurs(foreign)
	if len(before.Silent) > 0 {
		// Kamal would fail as a whole, and half a removal could not be told from a
		// whole one by the next.
		return notOurs, partly(a, "not every host can be reached", silent(before))
	}
	if !known {
		r.say("nothing is left of %s", a.Service)
		return notOurs, nil
	}
	dropped := r.drop(ctx, a)
	if gone, err := r.removeApp(ctx, a, config, production, there, foreign); gone || err != nil {
		return notOurs, err
	}
	if err := r.removeRest(ctx, a, config, production, there); err != nil {
		return notOurs, err
	}
	r.say("removed %s", a.Service)
	if dropped != nil {
		return notOurs, &problem.Problem{
			Message: a.Service + " is removed, but what it had in the database is not", Details: said(dropped),
			Hint: "drop it by hand", Status: problem.Partial, Cause: dropped,
		}
	}
	return notOurs, nil
}

// notOurs tells what is left alone.
func (r *Review) notOurs(foreign []Foreign) []string {
	var list []string
	for _, f := range foreign {
		list = append(list, f.String())
		r.say("not ours: %s", f)
	}
	return list
}

// removeApp has Kamal remove the app, under its deploy lock. Kamal goes by the service
// alone: where something else has that service, it is not asked, and the labels do.
// done says that another run has removed it all.
func (r *Review) removeApp(ctx context.Context, a App, config resolved.Configuration, production *resolved.Configuration, there Preview, foreign []Foreign) (done bool, err error) {
	for _, f := range foreign {
		if f.Kind != kindContainer && f.Kind != kindImage {
			continue
		}
		if there.locked(a) {
			return false, partly(a, "", problem.Newf("its deploy lock is held"))
		}
		return false, nil
	}
	for try := 1; ; try++ {
		err := r.kamal(ctx, a, "Remove "+a.Service, "app", "remove")
		if err == nil {
			return false, nil
		}
		// Its lock is held, for one: it is just being deployed, or another run
		// removes it. That one lets go of the lock before it has removed all.
		switch r.meanwhile(ctx, a, config, production, there) {
		case gone:
			return true, nil
		case free:
			if try < removeTries && lockInTheWay(err) {
				continue
			}
		case kept:
		}
		return false, partly(a, "", err)
	}
}

// lockInTheWay says whether Kamal was stopped by the deploy lock of another run.
func lockInTheWay(err error) bool {
	return slices.ContainsFunc(problem.Of(err), func(p *problem.Problem) bool { return p.Help == problem.DeployLock })
}

// removeRest removes what Kamal leaves, and looks again. Twice, since a run beside
// this one may have put something there.
func (r *Review) removeRest(ctx context.Context, a App, config resolved.Configuration, production *resolved.Configuration, there Preview) error {
	for again := false; ; again = true {
		for _, l := range there.Hosts {
			if _, err := r.remote(ctx, a, l.Host, fmt.Sprintf("Remove what is left of %s on %s", a.Service, l.Host), removeScript(a, l, config, production, r.Project.Safety)); err != nil {
				return partly(a, "", err)
			}
		}
		after, err := r.inventory(ctx, config.Hosts, production)
		if err != nil {
			return err
		}
		if err := silent(after); err != nil {
			return partly(a, "not every host can be reached", err)
		}
		rest := after.claimed(there)
		if len(rest.Hosts) == 0 {
			return nil
		}
		if again {
			return partly(a, "", &problem.Problem{Message: "this is left", Details: rest.Left()})
		}
		there = rest
	}
}

const (
	// looks is how often, and lookPause after which pause, a preview is looked at
	// that another run holds the lock of.
	looks     = 12
	lookPause = 5 * time.Second
	// removeTries is how often Kamal is asked to remove an app whose lock was held.
	removeTries = 3
)

// A fate is what became of a preview while another run held its lock.
type fate int

const (
	kept fate = iota // it is held still, it was deployed anew, or nobody knows
	free             // what is left of it may be removed
	gone             // nothing is left
)

// meanwhile waits for a run that holds the preview's lock, and says what is left of
// the preview then. there is what was there before.
func (r *Review) meanwhile(ctx context.Context, a App, config resolved.Configuration, production *resolved.Configuration, there Preview) fate {
	for range looks {
		i, err := r.inventory(ctx, config.Hosts, production)
		if err != nil || len(i.Silent) > 0 {
			return kept
		}
		p, known := i.Find(a.Number)
		switch {
		case !known:
			r.say("another run has removed %s", a.Service)
			return gone
		case p.Deployed().After(there.Deployed()):
			return kept // the run was a deploy: what removed the old is not to take the new
		case !p.locked(a):
			return free
		case r.sleep(ctx, lookPause) != nil:
			return kept
		}
	}
	return kept
}

// drop runs the project's commands that drop what the preview had in a database.
// That they fail keeps nothing from being removed: the app may not run any more.
func (r *Review) drop(ctx context.Context, a App) error {
	if len(r.Project.Drop) == 0 {
		return nil
	}
	inApp := r.tasks(ctx, a, r.Project.Drop, false)
	// A database cannot be dropped while the app is connected to it.
	if err := r.kamal(ctx, a, "Stop "+a.Service, "app", "stop"); err != nil {
		return errors.Join(inApp, err)
	}
	return errors.Join(inApp, r.tasks(ctx, a, r.Project.Drop, true))
}

// checkNames is the part of Safety.Check without which nothing may be removed.
func (p Project) checkNames(a App, config resolved.Configuration) error {
	c := checker{app: a, is: config, shared: p.SharedAccessories}
	if config.Service != a.Service || config.Destination != a.Destination {
		c.names()
		return c.list.Err()
	}
	c.accessories()
	return c.list.Err()
}

// partly is the problem of a removal that was not done, or not wholly.
func partly(a App, why string, err error) error {
	message := a.Service + " is not removed"
	if why != "" {
		message += ": " + why
	}
	return &problem.Problem{
		Message: message, Details: said(err),
		Hint: "the next sweep takes it", Status: problem.Partial, Cause: err,
	}
}
