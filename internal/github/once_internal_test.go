package github

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-github/v66/github"
)

// A change without a clear answer is looked for, later each time, and made again only
// where it is not there; not for ever.
func TestClient_Once(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	unclear := &unclearError{method: "POST", path: "/x", cause: errors.New("reset")}
	refused := errors.New("refused")
	for _, tc := range []struct {
		name    string
		answers []error // of the change, the last for ever
		there   int     // from which look on it is there; 0 never
		lookErr error
		left    time.Duration
		changes int
		slept   []time.Duration
		want    error
	}{
		{"done", []error{nil}, 0, nil, time.Hour, 1, nil, nil},
		{"refused", []error{refused}, 0, nil, time.Hour, 1, nil, refused},
		{"unclear, and there", []error{unclear}, 1, nil, time.Hour, 1, []time.Duration{time.Second}, nil},
		{"unclear, not there, done", []error{unclear, nil}, 0, nil, time.Hour, 2, []time.Duration{time.Second}, nil},
		{"unclear, there late", []error{unclear}, 3, nil, time.Hour, 3, []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second}, nil},
		{"never", []error{unclear}, 0, nil, time.Hour, tries, []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second}, unclear},
		{"the look fails", []error{unclear}, 0, refused, time.Hour, 1, []time.Duration{time.Second}, refused},
		{"no time to look", []error{unclear}, 1, nil, time.Second - 1, 1, nil, unclear},
		{"just time to look", []error{unclear}, 1, nil, time.Second, 1, []time.Duration{time.Second}, nil},
	} {
		var slept []time.Duration
		c := &Client{now: func() time.Time { return now }, sleep: func(_ context.Context, d time.Duration) error {
			slept = append(slept, d)
			return nil
		}}
		changes, looks := 0, 0
		err := c.once(context.WithValue(t.Context(), deadlineKey{}, now.Add(tc.left)), func() error {
			changes++
			return tc.answers[min(changes, len(tc.answers))-1]
		}, func() (bool, error) {
			looks++
			return tc.there > 0 && looks >= tc.there, tc.lookErr
		})
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) || changes != tc.changes || !slices.Equal(slept, tc.slept) {
			t.Errorf("%s: %v after %d changes, slept %v", tc.name, err, changes, slept)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, tc := range []struct {
		text  string
		limit int
		want  string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"äöüß", 3, "äö…"}, {"", 1, ""}} {
		if got := shorten(tc.text, tc.limit); got != tc.want {
			t.Errorf("%q in %d is %q", tc.text, tc.limit, got)
		}
	}
}

func TestIsWebURL(t *testing.T) {
	for address, is := range map[string]bool{
		"https://a/x": true, "http://a": true, "": false, "a": false, "/x": false, "https://": false, "javascript://a": false, "ftp://a": false, "https://a b": false,
	} {
		if isWebURL(address) != is {
			t.Errorf("%q is a link: %v", address, !is)
		}
	}
}

// A comment is as long as GitHub takes, and not a character longer.
func TestMarker_Fit(t *testing.T) {
	m := Marker("m")
	room := maxComment - utf8.RuneCountInString(m.line()) - 1
	whole := strings.Repeat("ä", room)
	if got := m.fit(whole); got != m.line()+"\n"+whole {
		t.Errorf("a comment that fits is changed to %d characters", utf8.RuneCountInString(got))
	}
	if got := m.fit(whole + "ä"); utf8.RuneCountInString(got) != maxComment || !strings.HasSuffix(got, "(cut: GitHub takes no longer comment)_") {
		t.Errorf("a comment that does not fit has %d characters", utf8.RuneCountInString(got))
	}
	for text, want := range map[string]string{
		m.line() + "\r\na\r\nb": "a\nb", m.line() + "\n\na": "\na", "a": "a", m.line(): "",
	} {
		if got := m.rest(text); got != want {
			t.Errorf("%q has the text %q", text, got)
		}
	}
}

// Which job of a run a listed one may be: by its number alone where that is known.
func TestMayBe(t *testing.T) {
	for _, tc := range []struct {
		run  Run
		id   int64
		name string
		on   string
		may  bool
	}{
		{Run{Job: "deploy"}, 1, "deploy", "", true},
		{Run{Job: "deploy"}, 1, "deploy (eu, 1)", "", true},
		{Run{Job: "deploy"}, 1, "release / deploy", "", true},
		{Run{Job: "deploy"}, 1, "a / b / deploy (eu)", "", true},
		{Run{Job: "deploy"}, 1, "deploy / build", "", false},
		{Run{Job: "deploy"}, 1, "deployment", "", false},
		{Run{Job: "deploy"}, 1, "deploy-2", "", false},
		{Run{Job: "deploy"}, 1, "build", "r1", false},
		{Run{Job: "deploy", Runner: "r1"}, 1, "build", "r1", true},
		{Run{Job: "deploy", Runner: "r1"}, 1, "build", "r2", false},
		{Run{Job: "deploy"}, 1, "build", "", false},
		{Run{}, 1, "anything", "", true},
		{Run{JobID: 1, Job: "deploy"}, 1, "build", "", true},
		{Run{JobID: 1, Job: "deploy", Runner: "r1"}, 2, "deploy", "r1", false},
	} {
		if got := mayBe(tc.run, &github.WorkflowJob{ID: &tc.id, Name: &tc.name, RunnerName: &tc.on}); got != tc.may {
			t.Errorf("%+v may be %d %q on %q: %v", tc.run, tc.id, tc.name, tc.on, got)
		}
	}
}
