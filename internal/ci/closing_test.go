package ci_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/problem"
)

func TestShowClosing_SaysWhatHasChanged(t *testing.T) {
	before, after := strings.Repeat("a", 40), strings.Repeat("b", 40)
	done := ci.Report{
		Command: "deploy", Service: "shop", Destination: "staging", URL: "https://shop.example.com", Took: 63 * time.Second,
		Hosts: []ci.HostReport{
			{Host: "192.0.2.1", Role: "web", Before: before, After: after},
			{Host: "192.0.2.2", Role: "web", Before: before, After: after},
			{Host: "192.0.2.3", Role: "job", After: after},
			{Host: "192.0.2.4", Role: "job", Before: after, After: after},
		},
		Phases:   []ci.Phase{{Name: "build and push", Took: 40 * time.Second}, {Name: "boot", Host: "192.0.2.1", Took: 2700 * time.Millisecond}},
		Rollback: "kamal-op rollback " + before + " --destination staging",
	}
	wide := func() int { return 200 }
	failed, nothing := done, done
	failed.Status = 1
	nothing.Status, nothing.Rollback = problem.Found, ""
	for _, test := range []struct {
		env    map[string]string
		o      setup
		report ci.Report
		want   string
	}{
		{nil, setup{Terminal: true, Width: wide}, done, `✓ deploy of shop (staging) succeeded in 1 min 3 s
  web: aaaaaaaaaaa… → bbbbbbbbbbb… on 192.0.2.1, 192.0.2.2
  job: nothing → bbbbbbbbbbb… on 192.0.2.3
  job: bbbbbbbbbbb…, as before on 192.0.2.4
  build and push 40.0 s, boot on 192.0.2.1 2.7 s
  at https://shop.example.com
  to go back: kamal-op rollback ` + before + " --destination staging\n"},
		{nil, setup{Terminal: true, Width: wide}, failed, "  to go back: kamal-op rollback " + before + " --destination staging\n"},
		{nil, setup{Terminal: true, Width: wide}, nothing, ""},
		{nil, setup{}, done, ""},
		{map[string]string{"GITHUB_ACTIONS": "true"}, setup{}, done, ""},
	} {
		var log bytes.Buffer
		s := detect(test.env, &log, test.o)
		ci.ShowClosing(s.System, test.report)
		if diff := cmp.Diff(test.want, strings.ReplaceAll(log.String(), "\r", "")); diff != "" {
			t.Errorf("%v: (-want +got)\n%s", test.o, diff)
		}
	}
}

// Beside the deploys before, each phase has a line; what is of one host has no past.
func TestShowClosing_ComparesWithEarlierDeploys(t *testing.T) {
	report := ci.Report{
		Command: "deploy", Service: "shop", Took: 63 * time.Second,
		Phases:  []ci.Phase{{Name: "Build", Took: 40 * time.Second}, {Name: "Boot", Took: 3 * time.Second}, {Name: "Boot", Host: "192.0.2.1", Took: 3 * time.Second}, {Name: "Prune", Took: time.Second}},
		Before:  map[string][]time.Duration{"Build": {41 * time.Second, 38500 * time.Millisecond, 2 * time.Minute}, "Boot": {3 * time.Second}},
		Changed: []string{"+ NEW  MyApp/Production, version 2"},
	}
	var log bytes.Buffer
	ci.ShowClosing(detect(nil, &log, setup{Terminal: true}).System, report)
	want := `✓ deploy of shop succeeded in 1 min 3 s
  + NEW  MyApp/Production, version 2
  Build               40.0 s  last 3: 38.5 s to 2 min 0 s
  Boot                 3.0 s  last 1: 3.0 s
  Boot on 192.0.2.1    3.0 s
  Prune                1.0 s
`
	if diff := cmp.Diff(want, strings.ReplaceAll(log.String(), "\r", "")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
