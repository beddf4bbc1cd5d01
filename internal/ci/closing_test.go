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

func TestClose_TellsAPersonWhatHasChanged(t *testing.T) {
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
	failed, nothing := done, done
	failed.Status = 1
	nothing.Status, nothing.Rollback = problem.Found, ""
	for _, test := range []struct {
		env    map[string]string
		o      setup
		report ci.Report
		want   string
	}{
		{nil, setup{Terminal: true}, done, `✓ deploy of shop (staging) succeeded in 1 min 3 s
  web: aaaaaaaaaaa… → bbbbbbbbbbb… on 192.0.2.1, 192.0.2.2
  job: nothing → bbbbbbbbbbb… on 192.0.2.3
  job: bbbbbbbbbbb…, as before on 192.0.2.4
  build and push 40.0 s, boot on 192.0.2.1 2.7 s
  at https://shop.example.com
  to go back: kamal-op rollback ` + before + " --destination staging\n"},
		{nil, setup{Terminal: true}, failed, "  to go back: kamal-op rollback " + before + " --destination staging\n"},
		{nil, setup{Terminal: true}, nothing, ""},
		{nil, setup{}, done, ""},
		{map[string]string{"GITHUB_ACTIONS": "true"}, setup{}, done, ""},
	} {
		var log bytes.Buffer
		s := detect(test.env, &log, test.o)
		ci.Close(s.System, test.report)
		if diff := cmp.Diff(test.want, strings.ReplaceAll(log.String(), "\r", "")); diff != "" {
			t.Errorf("%v: (-want +got)\n%s", test.o, diff)
		}
	}
}
