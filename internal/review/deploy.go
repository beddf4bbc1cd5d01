package review

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// deploy deploys the preview of a pull request: all is known before anything
// changes, and it counts as deployed when it answers.
func (r *Review) deploy(ctx context.Context, p Plan) (out Outcome, err error) {
	out.Plan = p
	a, err := r.app(p.Number, p.SHA)
	if err != nil {
		return out, err
	}
	if p.SHA == "" || p.Number == 0 {
		return out, problem.Newf("the plan names no commit to deploy")
	}
	if err := r.labelled(); err != nil {
		return out, err
	}
	out.App = a
	t := r.teller(p, a)
	defer func() {
		out.Untold, out.Took = t.untold, r.now().Sub(t.began)
	}()
	if p, skipped, err := r.overtaken(ctx, p); skipped || err != nil {
		out.Plan = p
		t.react(ctx)
		return out, err
	}
	t.begin(ctx)
	done, err := r.put(ctx, a, t)
	switch {
	case err != nil:
		t.failure(ctx, err)
	case done.Do == Nothing:
		out.Plan = done.Plan
		t.skipped(ctx, done.Why)
	default:
		out.URL = done.url
		t.success(ctx, out.URL)
	}
	return out, err
}

// Build builds and pushes the image of the plan's preview and does nothing else, so
// that a job may do it that can be cancelled; the deploy then has --skip-push among
// Project.DeployArgs. GitHub is told nothing.
func (r *Review) Build(ctx context.Context, p Plan) (Outcome, error) {
	out := Outcome{Plan: p}
	r.say("%s", p.Said())
	if p.Do != Deploy {
		return out, nil
	}
	a, err := r.app(p.Number, p.SHA)
	if err != nil {
		return out, err
	}
	out.App = a
	production, err := r.production(ctx)
	if err != nil {
		return out, err
	}
	config, err := r.resolve(ctx, a)
	if err != nil {
		return out, err
	}
	if err := r.Project.Check(a, config, production); err != nil {
		return out, err
	}
	return out, r.kamal(ctx, a, "Build "+a.Service, "build", "push")
}

// overtaken looks at the pull request as it is now.
func (r *Review) overtaken(ctx context.Context, p Plan) (Plan, bool, error) {
	if r.GitHub == nil {
		return p, false, nil
	}
	now, err := Again(ctx, p, r.GitHub)
	if err == nil && now.Do != p.Do {
		r.say("%s", now.Said())
		return now, true, nil
	}
	return p, false, err
}

// A result is a plan as it ended, and the address.
type result struct {
	Plan
	url string
}

// put is the deploy itself.
func (r *Review) put(ctx context.Context, a App, t *teller) (result, error) {
	nothing := func(why string) result {
		p := t.plan
		p.Do, p.Why = Nothing, why
		r.say("%s", p.Said())
		return result{Plan: p}
	}
	production, err := r.production(ctx)
	if err != nil {
		return result{}, err
	}
	config, err := r.resolve(ctx, a)
	if err != nil {
		return result{}, err
	}
	if err := r.Project.Check(a, config, production); err != nil {
		return result{}, err
	}
	i, err := r.inventory(ctx, config.Hosts, production)
	if err != nil {
		return result{}, err
	}
	if err := silent(i); err != nil {
		return result{}, err
	}
	if err := i.taken(a); err != nil {
		return result{}, err
	}
	wait, err := r.room(ctx, a, i, production)
	if err != nil {
		return result{}, err
	}
	if wait {
		return nothing(fmt.Sprintf("%d previews run already, as many as may", r.Project.Limit)), nil
	}
	if p, skipped, err := r.overtaken(ctx, t.plan); skipped || err != nil {
		return result{Plan: p}, err
	}
	t.passing(ctx, github.InProgress, "deploying")
	if err := r.boot(ctx, a, config, i); err != nil {
		return result{}, err
	}
	url, health := address(a, config)
	if r.Project.ReadyCheck.Timeout >= 0 {
		r.say("waiting for %s to answer", url)
	}
	if err := r.awaitReady(ctx, url, health); err != nil {
		return result{}, err
	}
	// It may have been closed while it was being deployed: then its removal has run
	// already, or waits for us. Where GitHub does not say, it is up, and a sweep takes it.
	if p, skipped, err := r.overtaken(ctx, t.plan); err == nil && skipped && p.Why == closedMeanwhile {
		_, err := r.remove(ctx, a, production)
		return nothing(p.Why), err
	}
	return result{Plan: t.plan, url: url}, nil
}

// boot creates what the preview needs, and deploys it.
func (r *Review) boot(ctx context.Context, a App, config resolved.Configuration, i Inventory) error {
	there, known := i.Find(a.Number)
	earlier := i.earlier(a)
	known = known || len(earlier) > 0
	own := r.Project.own(config)
	command := "deploy"
	if !known && len(own) == len(config.Accessories) {
		// Boots every accessory there is: only where all are the preview's own.
		command = "setup"
	} else if err := r.bootAccessories(ctx, a, config, there, known, earlier); err != nil {
		return err
	}
	if command == "deploy" {
		if err := r.tasks(ctx, a, r.Project.Create, true); err != nil {
			return err
		}
	}
	if err := r.kamal(ctx, a, "Deploy "+a.Service, append([]string{command}, r.Project.DeployArgs...)...); err != nil {
		return err
	}
	if command == "setup" {
		if err := r.tasks(ctx, a, r.Project.Create, true); err != nil {
			return err
		}
	}
	if err := r.tasks(ctx, a, r.Project.Create, false); err != nil {
		return err
	}
	return r.clearEarlier(ctx, a, earlier)
}

// bootAccessories boots those of the preview's own accessories that do not run yet.
func (r *Review) bootAccessories(ctx context.Context, a App, config resolved.Configuration, there Preview, known bool, earlier []Foreign) error {
	if !known {
		if err := r.kamal(ctx, a, "Prepare the hosts", "server", "bootstrap"); err != nil {
			return err
		}
	}
	for _, name := range r.Project.own(config) {
		old := slices.DeleteFunc(slices.Clone(earlier), func(f Foreign) bool { return f.container.Accessory != name })
		switch {
		case slices.ContainsFunc(old, Foreign.nameless):
			r.say("%s is left as it is: it has no label of ours, and its data are in a volume without a name", old[0])
		case len(old) > 0:
			// Kamal takes it for booted. Its folders and volumes with a name stay.
			if err := r.kamal(ctx, a, "Boot the accessory "+name+" anew, for its labels", "accessory", "reboot", name); err != nil {
				return err
			}
		case !booted(there, name, config.Accessories[name]):
			if err := r.kamal(ctx, a, "Boot the accessory "+name, "accessory", "boot", name); err != nil {
				return err
			}
		}
	}
	return nil
}

// booted says whether an accessory has a container on each of its hosts.
func booted(p Preview, name string, want resolved.Accessory) bool {
	for _, host := range want.Hosts {
		if !slices.ContainsFunc(p.Hosts, func(l Leftovers) bool {
			return l.Host == host && slices.ContainsFunc(l.Containers, func(c Container) bool { return c.Accessory == name })
		}) {
			return false
		}
	}
	return true
}

// tasks runs the project's own commands for a preview, those in accessories or
// those in the app.
func (r *Review) tasks(ctx context.Context, a App, list []Task, inAccessories bool) error {
	for _, task := range list {
		if (task.Accessory != "") != inAccessories {
			continue
		}
		command := strings.NewReplacer("{number}", strconv.Itoa(a.Number), "{service}", a.Service,
			"{database}", strings.ReplaceAll(a.Service, "-", "_")).Replace(task.Command)
		args := []string{"app", "exec", "--reuse", command}
		if inAccessories {
			args = []string{"accessory", "exec", task.Accessory, "--reuse", command}
		}
		if err := r.kamal(ctx, a, "Run "+short(command), args...); err != nil {
			return err
		}
	}
	return nil
}

// address is where the preview answers, and the health path of its proxy.
func address(a App, config resolved.Configuration) (url, health string) {
	for _, name := range keys(config.Roles) {
		p := config.Roles[name].Proxy
		if p == nil || !slices.ContainsFunc(p.Hosts, func(h string) bool { return strings.EqualFold(h, a.Host) }) {
			continue
		}
		return a.URL(p.TLS, p.Port), p.Health
	}
	return a.URL(false, 0), ""
}

// room makes room for one more preview, or says that it must wait.
func (r *Review) room(ctx context.Context, a App, i Inventory, production *resolved.Configuration) (wait bool, err error) {
	if r.Project.Limit <= 0 || r.GitHub == nil {
		return false, nil
	}
	open, err := r.GitHub.OpenPullRequests(ctx)
	if err != nil {
		return false, err
	}
	verdicts, wait := r.Project.Room(i, open, a.Number, r.now())
	if wait && r.Project.Full != NewWaits {
		return true, nil
	}
	_, _, err = r.execute(ctx, verdicts, production)
	return wait, err
}

// silent is the problem of hosts that did not answer.
func silent(i Inventory) error {
	var list problem.List
	for _, host := range keys(i.Silent) {
		list = append(list, &problem.Problem{
			Message: host + " did not say what is there", Details: said(i.Silent[host]),
			Hint: "can it be reached, and does Docker run there?", Status: problem.Found, Cause: i.Silent[host],
		})
	}
	return list.Err()
}

// said is an error as details.
func said(err error) []string {
	var list []string
	for _, p := range problem.Of(err) {
		list = append(append(list, line(p.Error(), 300)), p.Details...)
	}
	return list
}
