package review

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// One is not ten, and a name that only looks like a preview's is nobody's.
func TestNumberOf(t *testing.T) {
	for name, want := range map[string]struct {
		number    int
		accessory string
	}{
		"shop-pr-1":            {1, ""},
		"shop-pr-10":           {10, ""},
		"shop-pr-1-db":         {1, "db"},
		"shop-pr-1-db-2":       {1, "db-2"},
		"shop-pr-999999999":    {999_999_999, ""},
		"shop-pr-1000000000":   {},
		"shop-pr-0":            {},
		"shop-pr-01":           {},
		"shop-pr--1":           {},
		"shop-pr-+1":           {},
		"shop-pr-1-":           {},
		"shop-pr-":             {},
		"shop-pr-1_db":         {},
		"shop-pr-1x":           {},
		"shop":                 {},
		"shop-pr":              {},
		"xshop-pr-1":           {},
		"shop-pr-1\nshop-pr-2": {},
	} {
		n, accessory, ok := numberOf("shop", name)
		if ok != (want.number != 0) || n != want.number || accessory != want.accessory {
			t.Errorf("%q is %d %q, %v", name, n, accessory, ok)
		}
	}
}

func TestApp_Owns(t *testing.T) {
	a := App{Service: "shop-pr-1"}
	for name, own := range map[string]bool{
		"shop-pr-1": true, "shop-pr-1-db": true, "shop-pr-1_x": true, "shop-pr-1.x": true,
		"shop-pr-10": false, "shop-pr-1x": false, "shop-pr-": false, "shop": false, "": false, "xshop-pr-1": false, "shop-pr-1/..": false,
	} {
		if a.owns(name) != own {
			t.Errorf("%q is its own: %v", name, !own)
		}
	}
}

// A volume's number, by the name that a project gives it.
func TestNumberOfFree(t *testing.T) {
	for name, want := range map[string]int{
		"shop-pr-1": 1, "shop-pr-12_storage": 12, "shop-pr-12-x": 12, "shop-pr-12.x": 12, "shop-pr-012_x": 0, "shop-pr-12x": 0,
		"shop-pr-0_x": 0, "shop-pr-_x": 0, "shop-pr-1000000000_x": 0, "shop-pr-999999999_x": 999_999_999, "shop_storage": 0,
	} {
		if n, ok := numberOfFree("shop", name); ok != (want != 0) || ok && n != want {
			t.Errorf("%q is %d, %v", name, n, ok)
		}
	}
}

func TestNumberOfFile(t *testing.T) {
	protected := map[string]bool{"shop-pr-7-db": true}
	for path, want := range map[string]struct {
		number int
		folder bool
	}{
		".kamal/apps/shop-pr-1-review":              {1, false},
		".kamal/proxy/apps-config/shop-pr-1-review": {1, false},
		".kamal/lock-shop-pr-1-review":              {1, false},
		".kamal/shop-pr-1-review-audit.log":         {1, false},
		"shop-pr-1-db":                              {1, true},
		"shop-pr-1":                                 {1, true},
		".kamal/apps/shop-pr-1":                     {},
		".kamal/apps/shop-pr-1-staging":             {},
		".kamal/apps/shop-pr-1-review/x":            {},
		"shop-pr-1-db/x":                            {},
		"shop-pr-7-db":                              {},
		"shop-pr-7-dbx":                             {7, true},
		"shop-db":                                   {},
	} {
		n, folder, ok := numberOfFile("shop", "review", path, protected)
		if ok != (want.number != 0) || ok && (n != want.number || folder != want.folder) {
			t.Errorf("%q is %d, a folder %v, %v", path, n, folder, ok)
		}
	}
}

// A host is an argument of Kamal's: no option, no list, no pattern.
func TestHostAddress(t *testing.T) {
	for host, ok := range map[string]bool{
		"192.0.2.1": true, "web-1.example.com": true, "2001:db8::1": true, "[2001:db8::1]": true, "WEB_1": true,
		"": false, "-x": false, "--hosts": false, "a b": false, "a,b": false, "a*": false, "a;b": false, "a'b": false, "a\nb": false, "ä": false, "$(x)": false,
	} {
		if hostAddress(host) != ok {
			t.Errorf("%q is a host: %v", host, !ok)
		}
	}
}

// Foreign text becomes one line, no longer than it may be.
func TestLine(t *testing.T) {
	for _, tc := range []struct {
		text  string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc…"},
		{"äöü", 3, "äöü"},
		{" a\tb\n", 9, "a b"},
		{"a\x1b[1m\u202eb\u2028c\u2029d\xff", 30, "a [1m b c d"},
		{"", 0, ""},
	} {
		if got := line(tc.text, tc.limit); got != tc.want {
			t.Errorf("%q in %d is %q, not %q", tc.text, tc.limit, got, tc.want)
		}
	}
}

func TestDays(t *testing.T) {
	for d, want := range map[time.Duration]string{
		90 * time.Minute: "1h30m0s", 47*time.Hour + 59*time.Minute: "47h59m0s", 48 * time.Hour: "2 days", 10*24*time.Hour + time.Hour: "10 days",
	} {
		if got := days(d); got != want {
			t.Errorf("%s is %q", d, got)
		}
	}
}

// at is an inventory of previews that run, each deployed so long ago.
func at(now time.Time, ages map[int]time.Duration) Inventory {
	i := Inventory{}
	for n, age := range ages {
		i.add("shop", map[int]Leftovers{n: {Host: "h", Containers: []Container{{Created: now.Add(-age), Running: true}}}})
	}
	return i
}

func removed(list []Verdict) []int {
	var numbers []int
	for _, v := range list {
		if v.Remove {
			numbers = append(numbers, v.Number)
		}
	}
	return numbers
}

// What a sweep removes, at the very edges of its options.
func TestPlanSweep_Edges(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	open := func(numbers ...int) (list []github.PullRequest) {
		for _, n := range numbers {
			list = append(list, github.PullRequest{Number: n, Labels: []string{"Keep"}[:n%2]})
		}
		return list
	}
	hour := time.Hour
	for _, tc := range []struct {
		name   string
		ages   map[int]time.Duration
		s      Sweeping
		pushed map[int]time.Time
		want   []int
	}{
		{"nothing asked", map[int]time.Duration{2: 9999 * hour}, Sweeping{}, nil, nil},
		{"just not expired", map[int]time.Duration{2: hour}, Sweeping{TTL: hour}, nil, nil},
		{"just expired", map[int]time.Duration{2: hour + 1}, Sweeping{TTL: hour}, nil, []int{2}},
		{"pushed since", map[int]time.Duration{2: 5 * hour}, Sweeping{TTL: hour}, map[int]time.Time{2: now}, nil},
		{"pushed before", map[int]time.Duration{2: 2 * hour}, Sweeping{TTL: hour}, map[int]time.Time{2: now.Add(-3 * hour)}, []int{2}},
		{"pushed in the future", map[int]time.Duration{2: 2 * hour}, Sweeping{TTL: hour}, map[int]time.Time{2: now.Add(1)}, []int{2}},
		{"kept by its label", map[int]time.Duration{1: 5 * hour}, Sweeping{TTL: hour, Keep: "keep"}, nil, nil},
		{"no label is asked for", map[int]time.Duration{1: 5 * hour}, Sweeping{TTL: hour}, nil, []int{1}},
		{"as many as may", map[int]time.Duration{2: 3 * hour, 4: hour}, Sweeping{Limit: 2}, nil, nil},
		{"one more than may", map[int]time.Duration{2: 3 * hour, 4: hour, 6: 2 * hour}, Sweeping{Limit: 2}, nil, []int{2}},
		{"two more than may", map[int]time.Duration{2: 3 * hour, 4: hour, 6: 2 * hour}, Sweeping{Limit: 1}, nil, []int{2, 6}},
		{"a limit below nothing", map[int]time.Duration{2: hour}, Sweeping{Limit: -1}, nil, nil},
		{"the kept one counts", map[int]time.Duration{1: 9 * hour, 2: hour}, Sweeping{Limit: 1, Keep: "keep"}, nil, []int{2}},
		{"new ones wait", map[int]time.Duration{2: 3 * hour, 4: hour}, Sweeping{Limit: 1, Full: NewWaits}, nil, nil},
		{"an expired one makes room", map[int]time.Duration{2: 3 * hour, 4: hour}, Sweeping{Limit: 1, TTL: 2 * hour}, nil, []int{2}},
		{"closed", map[int]time.Duration{2: 0, 99: 0}, Sweeping{Keep: "keep"}, nil, []int{99}},
	} {
		if got := removed(planSweep(at(now, tc.ages), open(1, 2, 4, 6), tc.s, tc.pushed, now)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: removes %v, not %v", tc.name, got, tc.want)
		}
	}
}

func TestRoom_Edges(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	i := at(now, map[int]time.Duration{2: 3 * time.Hour, 4: time.Hour})
	open := []github.PullRequest{{Number: 2}, {Number: 4}, {Number: 6}}
	for _, tc := range []struct {
		s      Sweeping
		number int
		want   []int
		wait   bool
	}{
		{Sweeping{}, 6, nil, false},
		{Sweeping{Limit: 3}, 6, nil, false},
		{Sweeping{Limit: 2}, 6, []int{2}, false},
		{Sweeping{Limit: 1}, 6, []int{2, 4}, false},
		{Sweeping{Limit: 2}, 4, nil, false},
		{Sweeping{Limit: 2, Full: NewWaits}, 6, nil, true},
		{Sweeping{Limit: 3, Full: NewWaits}, 6, nil, false},
	} {
		remove, wait := tc.s.Room(i, open, tc.number, now)
		if !slices.Equal(removed(remove), tc.want) || wait != tc.wait {
			t.Errorf("%+v for %d: removes %v, waits %v", tc.s, tc.number, removed(remove), wait)
		}
	}
}

// A preview answers with what a person can use, or with the question for a password.
func TestAwait_WhatCountsAsAnAnswer(t *testing.T) {
	for status, up := range map[int]bool{
		200: true, 204: true, 301: true, 302: true, 399: true, 401: true, 400: false, 402: false, 403: false, 404: false, 500: false, 502: false, 503: false,
	} {
		followed := false
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			followed = followed || r.URL.Path != "/up"
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		now := time.Now()
		var slept []time.Duration
		r := Review{Project: Project{ReadyCheck: ReadyCheck{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}, Now: func() time.Time { return now }, Sleep: func(_ context.Context, d time.Duration) error {
			slept = append(slept, d)
			now = now.Add(d)
			return nil
		}}
		err := r.awaitReady(t.Context(), srv.URL, "")
		if (err == nil) != up || followed {
			t.Errorf("%d: %v, followed %v", status, err, followed)
		}
		// 0.5, 1: the next, of 2, would end after the time.
		if want := []time.Duration{500 * time.Millisecond, time.Second}; !up && !slices.Equal(slept, want) {
			t.Errorf("%d: slept %v", status, slept)
		}
		srv.Close()
	}
	for _, path := range []string{"up", "/a b", "/a\nb"} {
		r := Review{Project: Project{ReadyCheck: ReadyCheck{Path: path}}}
		if err := r.awaitReady(t.Context(), "http://127.0.0.1:1", ""); problem.Status(err) != problem.Usage {
			t.Errorf("%q: %v", path, err)
		}
	}
	r := Review{Project: Project{ReadyCheck: ReadyCheck{Timeout: -1}}}
	if err := r.awaitReady(t.Context(), "http://127.0.0.1:1", ""); err != nil {
		t.Error(err)
	}
}

// What may be in a command of Kamal's that runs on a host.
func TestRemote_RefusesQuotes(t *testing.T) {
	r := Review{}
	for _, script := range []string{"echo 'x'", "a\nb"} {
		if _, err := r.remote(t.Context(), App{}, "h", "x", script); err == nil || !strings.Contains(err.Error(), "holds a quote") {
			t.Errorf("%q: %v", script, err)
		}
	}
}

func TestEarlierApp(t *testing.T) {
	sha := strings.Repeat("a", 40)
	a := App{Number: 12, Service: "shop-pr-12", Destination: "review"}
	whole := Foreign{Kind: kindContainer, Name: "shop-pr-12-web-review-pr-12-" + sha, destination: "review"}
	if !whole.earlierApp(a) {
		t.Error("an earlier deploy is not known")
	}
	for name, change := range map[string]func(*Foreign){
		"another's labels":    func(f *Foreign) { f.labelled = true },
		"an image":            func(f *Foreign) { f.Kind = kindImage },
		"an accessory":        func(f *Foreign) { f.container.Accessory = "db" },
		"another destination": func(f *Foreign) { f.destination = "" },
		"another number":      func(f *Foreign) { f.Name = "shop-pr-12-web-review-pr-1-" + sha },
		"another version":     func(f *Foreign) { f.Name = "shop-pr-12-web-review-" + sha },
		"another service":     func(f *Foreign) { f.Name = "shop-pr-1-web-review-pr-12-" + sha },
		"a short version":     func(f *Foreign) { f.Name = whole.Name[:len(whole.Name)-1] },
		"more behind it":      func(f *Foreign) { f.Name += "-x" },
	} {
		f := whole
		change(&f)
		if f.earlierApp(a) {
			t.Errorf("%s is taken for an earlier deploy", name)
		}
	}
	replaced := whole
	replaced.Name += "_replaced_0123abcd"
	if !replaced.earlierApp(a) {
		t.Error("a container that Kamal has renamed is not known")
	}
}

// The problem of a preview that does not answer names what helps.
func TestUnready_KeepsItsCause(t *testing.T) {
	cause := statusError(404)
	err := notReadyProblem("http://x/up", time.Second, cause)
	var status statusError
	if !errors.As(err, &status) || problem.Status(err) != problem.TimedOut {
		t.Errorf("%v", err)
	}
}
