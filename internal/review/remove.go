package review

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
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
// gone says that another run has removed it all.
func (r *Review) removeApp(ctx context.Context, a App, config resolved.Configuration, production *resolved.Configuration, there Preview, foreign []Foreign) (gone bool, err error) {
	for _, f := range foreign {
		if f.Kind != kindContainer && f.Kind != kindImage {
			continue
		}
		if there.locked(a) {
			return false, partly(a, "", problem.Newf("its deploy lock is held"))
		}
		return false, nil
	}
	if err := r.kamal(ctx, a, "Remove "+a.Service, "app", "remove"); err != nil {
		// Its lock is held, for one: it is just being deployed, or another run
		// removes it.
		if r.goneMeanwhile(ctx, a, config, production) {
			return true, nil
		}
		return false, partly(a, "", err)
	}
	return false, nil
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

// meanwhile is how often, and after which pause, a preview is looked at that another
// run holds the lock of.
const (
	meanwhile      = 6
	meanwhilePause = 5 * time.Second
)

// goneMeanwhile waits for a run that holds the preview's lock, and says whether
// nothing is left of the preview then.
func (r *Review) goneMeanwhile(ctx context.Context, a App, config resolved.Configuration, production *resolved.Configuration) bool {
	for range meanwhile {
		i, err := r.inventory(ctx, config.Hosts, production)
		if err != nil || len(i.Silent) > 0 {
			return false
		}
		p, known := i.Find(a.Number)
		if !known {
			r.say("another run has removed %s", a.Service)
			return true
		}
		if !p.locked(a) || r.sleep(ctx, meanwhilePause) != nil {
			return false
		}
	}
	return false
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

// What of a host's own words may stand in a script.
var (
	safeName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	safePath  = regexp.MustCompile(`^\.?[A-Za-z0-9][A-Za-z0-9_./-]*$`)
	hexID     = regexp.MustCompile(`^[0-9a-f]{12,64}$`)
	imageID   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	safeImage = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./:@-]*$`)
)

// removeScript removes what Kamal leaves, or does not know, of a preview on one
// host: by our labels, and by the names that were found there beside what bears them.
func removeScript(a App, l Leftovers, config resolved.Configuration, production *resolved.Configuration, s Safety) string {
	var do []string
	add := func(format string, args ...any) { do = append(do, fmt.Sprintf(format, args...)) }
	var volumes []string
	for _, c := range l.Containers {
		volumes = append(volumes, slices.DeleteFunc(slices.Clone(c.volumes), func(v string) bool { return !anonymous(v) })...)
	}
	ours := "--filter label=" + labelService + "=" + a.Base + " --filter label=" + labelRepository + "=" + a.Repository + " --filter label=" + labelNumber + "=" + strconv.Itoa(a.Number)
	for _, route := range l.Routes {
		if safeName.MatchString(route) {
			add(`docker exec kamal-proxy kamal-proxy remove %s >/dev/null 2>&1`, route)
		}
	}
	add(`a=$(docker ps -aq %s); [ -z "$a" ] || docker rm -f -v $a >/dev/null`, ours)
	for _, v := range append(volumes, l.Volumes...) {
		if safeName.MatchString(v) {
			add(`docker volume rm %s >/dev/null 2>&1`, v)
		}
	}
	images := accessoryImages(a, l, config, production, s)
	for _, f := range l.Files {
		if !safePath.MatchString(f) || strings.Contains(f, "..") || strings.HasPrefix(f, ".kamal/lock-") {
			continue // a lock is released by its owner, or by Kamal
		}
		// What a container's own user has written there, the user who logs in may
		// not be able to delete: the accessory's image deletes it as root.
		if image := images[f]; image != "" {
			add(`rm -rf %[1]s 2>/dev/null || { docker run --rm --network none --user 0 --entrypoint sh -v "$PWD/%[1]s:/kamal-op" %[2]s -c "rm -rf /kamal-op/* /kamal-op/.[!.]*" >/dev/null 2>&1; rm -rf %[1]s; }`, f, image)
			continue
		}
		add(`rm -rf %s`, f)
	}
	add(`docker image prune -af %s >/dev/null`, ours)
	for _, image := range l.Images {
		if imageID.MatchString(image) {
			add(`%s`, removeImage(image))
		}
	}
	for _, service := range keys(images) {
		image := images[service]
		add(`[ -n "$(docker ps -aq --filter ancestor=%[1]s)" ] || docker image rm %[1]s >/dev/null 2>&1`, image)
	}
	add(`true`)
	return strings.Join(do, "; ")
}

// removeImage removes an image that no container is made of.
func removeImage(id string) string {
	return fmt.Sprintf(`[ -n "$(docker ps -aq --filter ancestor=%[1]s)" ] || docker image rm -f %[1]s >/dev/null 2>&1`, id)
}

// accessoryImages is the images, by their service, of those of the preview's own
// accessories that are on the host, but for those that production uses too.
func accessoryImages(a App, l Leftovers, config resolved.Configuration, production *resolved.Configuration, s Safety) map[string]string {
	all := map[string]string{}
	for _, name := range s.own(config) {
		r := config.Accessories[name]
		if !l.has(a, r.Service) && !slices.Contains(l.Files, r.Service) {
			continue // it was never there, or is another's
		}
		shared := false
		if production != nil {
			for _, p := range production.Accessories {
				shared = shared || p.Image == r.Image
			}
		}
		for _, other := range s.SharedAccessories {
			shared = shared || config.Accessories[other].Image == r.Image
		}
		if !shared && safeImage.MatchString(r.Image) {
			all[r.Service] = r.Image
		}
	}
	return all
}

// sweep removes the previews that have no open pull request, those that have
// expired, and those beyond the limit.
func (r *Review) sweep(ctx context.Context, p Plan, dry bool) (out Outcome, err error) {
	out.Plan = p
	began := r.now()
	defer func() { out.Took = r.now().Sub(began) }()
	if r.GitHub == nil {
		return out, problem.Usagef("give a token that may read pull requests", "a sweep asks GitHub which pull requests are open")
	}
	if err := r.labelled(); err != nil {
		return out, err
	}
	nobody, err := r.nobody()
	if err != nil {
		return out, err
	}
	production, err := r.production(ctx)
	if err != nil {
		return out, err
	}
	config, err := r.resolve(ctx, nobody)
	if err != nil {
		return out, err
	}
	if err := r.Project.checkNames(nobody, config); err != nil {
		return out, err
	}
	// The hosts first: a pull request that is opened and deployed meanwhile is then
	// not among what is held against the list.
	i, err := r.inventory(ctx, config.Hosts, production)
	if err != nil {
		return out, err
	}
	open, err := r.GitHub.OpenPullRequests(ctx)
	if err != nil {
		return out, err
	}
	pushed, err := r.pushed(ctx, i, open)
	if err != nil {
		return out, err
	}
	out.NotOurs = r.notOurs(i.Foreign)
	out.Verdicts = planSweep(i, open, r.Project.Sweeping, pushed, r.now())
	for _, v := range out.Verdicts {
		verb := "keep"
		if v.Remove {
			verb = "remove"
		}
		r.say("%s %s: %s", verb, v.Service, v.Why)
	}
	if dry {
		return out, silent(i)
	}
	removed, untold, err := r.execute(ctx, out.Verdicts, production)
	out.Removed, out.Untold = removed, untold
	if s := silent(i); s != nil {
		list := problem.List{{
			Message: "not every host was swept", Details: said(s), Hint: "the next sweep takes what is left", Status: problem.Partial, Cause: s,
		}}
		return out, append(list, problem.Of(err)...).Err()
	}
	return out, err
}

// pushed asks when the heads of those pull requests were committed whose previews
// may have expired.
func (r *Review) pushed(ctx context.Context, i Inventory, open []github.PullRequest) (map[int]time.Time, error) {
	all := map[int]time.Time{}
	for _, pr := range r.Project.expiring(i, open, r.now()) {
		at, err := r.GitHub.CommitTime(ctx, pr.HeadSHA)
		if err != nil {
			return nil, err
		}
		all[pr.Number] = at
	}
	return all, nil
}

// execute carries verdicts out, one after another; one that fails stops no other.
func (r *Review) execute(ctx context.Context, verdicts []Verdict, production *resolved.Configuration) (removed []int, untold problem.List, err error) {
	var failed problem.List
	for _, v := range verdicts {
		if !v.Remove {
			continue
		}
		if ctx.Err() != nil {
			failed = append(failed, &problem.Problem{Message: v.Service + " is not removed: the run was cancelled", Hint: "the next sweep takes it", Status: problem.Partial, Cause: ctx.Err()})
			continue
		}
		a, err := r.app(v.Number, "")
		if err == nil && v.Closed {
			var open bool
			// A list of pages can miss one; nothing is removed for an absence alone.
			if open, err = r.isOpen(ctx, v.Number); open {
				r.say("keep %s: it is open", v.Service)
				continue
			}
		}
		if err != nil {
			failed = append(failed, problem.Of(partly(a, "", err))...)
			continue
		}
		t := r.teller(Plan{Do: Remove, Number: v.Number, Why: v.Why}, a)
		_, err = r.remove(ctx, a, production)
		t.removed(ctx, err)
		untold = append(untold, t.untold...)
		if err != nil {
			failed = append(failed, problem.Of(err)...)
			continue
		}
		removed = append(removed, v.Number)
	}
	return removed, untold, failed.Err()
}

// isOpen asks whether a pull request is open. What GitHub does not know is closed.
func (r *Review) isOpen(ctx context.Context, number int) (bool, error) {
	p, err := r.GitHub.PullRequest(ctx, number)
	if github.IsMissing(err) {
		return false, nil
	}
	return p.Open, err
}
