package review

import (
	"fmt"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
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
