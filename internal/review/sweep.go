package review

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Sweeping says which previews stay.
type Sweeping struct {
	TTL   time.Duration // since the last push; 0 is no end
	Keep  string        // the label that keeps an open pull request's preview from TTL and Limit
	Limit int           // of previews that run; 0 is none
	Full  Full          // what happens where Limit is reached
}

// Full is what happens where there are as many previews as there may be.
type Full string

// What can happen.
const (
	OldestGoes Full = "oldest-goes" // the one whose last push is longest ago is removed
	NewWaits   Full = "new-waits"   // the new one is not deployed
)

// A Verdict is what a sweep does with one preview.
type Verdict struct {
	Number  int    `json:"number"`
	Service string `json:"service"`
	Remove  bool   `json:"remove"`
	Why     string `json:"why"`
	Closed  bool   `json:"closed"` // removed since no open pull request was seen: to be asked for again
}

// planSweep holds what is on the hosts against the open pull requests. pushed is
// when a pull request's head was committed, where that was asked; it counts where it
// is later than the last deploy and not later than now, since anybody may write any
// date into a commit.
func planSweep(i Inventory, open []github.PullRequest, s Sweeping, pushed map[int]time.Time, now time.Time) []Verdict {
	return s.judge(i, open, pushed, now, 0)
}

// judge is planSweep, with places kept free beneath the limit.
func (s Sweeping) judge(i Inventory, open []github.PullRequest, pushed map[int]time.Time, now time.Time, free int) []Verdict {
	byNumber := map[int]github.PullRequest{}
	for _, p := range open {
		byNumber[p.Number] = p
	}
	var list []Verdict
	var active []int // indices of list: kept, running, without the label
	running := 0
	for _, p := range i.Previews {
		v := Verdict{Number: p.Number, Service: p.Service}
		pr, isOpen := byNumber[p.Number]
		last := lastPush(p, pushed, now)
		switch age := now.Sub(last); {
		case !isOpen:
			v.Remove, v.Closed, v.Why = true, true, "closed"
		case s.Keep != "" && has(pr, s.Keep):
			v.Why = "it has the label that keeps it"
		case s.TTL > 0 && !last.IsZero() && age > s.TTL:
			v.Remove, v.Why = true, "no push for "+days(age)
		default:
			v.Why = "open"
			if p.Running() {
				active = append(active, len(list))
			}
		}
		if !v.Remove && p.Running() {
			running++
		}
		list = append(list, v)
	}
	over := running + free - s.Limit
	if s.Limit <= 0 || s.Full == NewWaits || over <= 0 {
		return list
	}
	slices.SortStableFunc(active, func(a, b int) int {
		return lastPush(i.Previews[a], pushed, now).Compare(lastPush(i.Previews[b], pushed, now))
	})
	for _, at := range active[:min(over, len(active))] {
		list[at].Remove, list[at].Why = true, fmt.Sprintf("%d previews may run, and its last push is the oldest", s.Limit)
	}
	return list
}

// lastPush is when a preview was last pushed to, as far as that is known.
func lastPush(p Preview, pushed map[int]time.Time, now time.Time) time.Time {
	last := p.Deployed()
	if at := pushed[p.Number]; at.After(last) && !at.After(now) {
		last = at
	}
	return last
}

// expiring is the open previews whose age may matter: for these the head's date is
// worth a question.
func (s Sweeping) expiring(i Inventory, open []github.PullRequest, now time.Time) []github.PullRequest {
	var list []github.PullRequest
	for _, pr := range open {
		p, ok := i.Find(pr.Number)
		if ok && s.TTL > 0 && now.Sub(p.Deployed()) > s.TTL && (s.Keep == "" || !has(pr, s.Keep)) {
			list = append(list, pr)
		}
	}
	return list
}

// Room says which previews must go before another may run: those that a sweep would
// remove, and the oldest where that is how it shall be. wait says that there is no
// room even so.
func (s Sweeping) Room(i Inventory, open []github.PullRequest, number int, now time.Time) (remove []Verdict, wait bool) {
	if s.Limit <= 0 {
		return nil, false
	}
	if p, ok := i.Find(number); ok && p.Running() {
		return nil, false // it has its place
	}
	others := Inventory{}
	running := 0
	for _, p := range i.Previews {
		if p.Number != number && p.Running() {
			others.Previews = append(others.Previews, p)
			running++
		}
	}
	if running < s.Limit {
		return nil, false
	}
	for _, v := range s.judge(others, open, nil, now, 1) {
		if v.Remove {
			remove = append(remove, v)
			running--
		}
	}
	return remove, running >= s.Limit
}

// days is a duration as people say it.
func days(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	}
	return d.Round(time.Minute).String()
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
	nobody, config, production, err := r.configured(ctx)
	if err != nil {
		return out, err
	}
	if err := r.Project.checkNames(nobody, config); err != nil {
		return out, err
	}
	i, err := r.judge(ctx, &out, config, production)
	if err != nil {
		return out, err
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

// judge decides what becomes of each preview, and says it.
func (r *Review) judge(ctx context.Context, out *Outcome, config resolved.Configuration, production *resolved.Configuration) (Inventory, error) {
	// The hosts first: a pull request that is opened and deployed meanwhile is then
	// not among what is held against the list.
	i, err := r.inventory(ctx, config.Hosts, production)
	if err != nil {
		return i, err
	}
	open, err := r.GitHub.OpenPullRequests(ctx)
	if err != nil {
		return i, err
	}
	pushed, err := r.pushed(ctx, i, open)
	if err != nil {
		return i, err
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
	return i, nil
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
