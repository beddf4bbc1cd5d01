package review_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

var update = flag.Bool("update", false, "write the golden files")

// Every payload in testdata/events leads to the plan beside it.
func TestDecide_Golden(t *testing.T) {
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c struct {
				Event, Label string
				Payload      json.RawMessage
			}
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			s, client := testGitHub(t, newClock())
			got := decide(t, client, c.Event, c.Label, c.Payload)
			if len(s.Comments(12)) != 0 {
				t.Error("deciding changed something")
			}
			golden := strings.TrimSuffix(file, ".json") + ".plan"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// decide is the plan or the problem of an event, as text.
func decide(t *testing.T, client *github.Client, name, label string, payload []byte) string {
	t.Helper()
	e, err := github.ParseEvent(name, payload)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := review.Decide(t.Context(), e, review.Rules{Label: label}, client)
	if err != nil {
		p := problem.Of(err)[0]
		return "refused: " + p.Message + "\nhint: " + p.Hint + "\n"
	}
	text, err := json.MarshalIndent(plan, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return plan.Said() + "\n" + string(text) + "\n"
}

// Where GitHub cannot be asked, nobody may do anything.
func TestDecide_NoAnswerIsNoPermission(t *testing.T) {
	s, client := testGitHub(t, newClock())
	s.Inject(func(githubtest.Call) githubtest.Fault { return githubtest.BadGateway })
	payload := `{"action":"created","issue":{"number":12,"pull_request":{}},"comment":{"id":77,"body":"/deploy","user":{"login":"alice","id":7}}}`
	e, err := github.ParseEvent("issue_comment", []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	if plan, err := review.Decide(t.Context(), e, review.Rules{}, client); err == nil {
		t.Errorf("planned %+v", plan)
	}
}

func TestAgain(t *testing.T) {
	s, client := testGitHub(t, newClock())
	plan := review.Plan{Do: review.Deploy, Number: 12, SHA: githubtest.SHA(12)}
	for _, tc := range []struct {
		now githubtest.Pull
		do  review.Deed
		why string
	}{
		{githubtest.Pull{Number: 12}, review.Deploy, ""},
		{githubtest.Pull{Number: 12, Closed: true}, review.Nothing, "it was closed meanwhile"},
		{githubtest.Pull{Number: 12, SHA: githubtest.SHA(99)}, review.Nothing, "overtaken by " + githubtest.SHA(99)[:7]},
		{githubtest.Pull{Number: 12, HeadRepo: "mallory/shop"}, review.Nothing, "from a fork"},
	} {
		s.AddPull(tc.now)
		got, err := review.Again(t.Context(), plan, client)
		if err != nil || got.Do != tc.do || got.Why != tc.why {
			t.Errorf("%+v: %s (%s), %v", tc.now, got.Do, got.Why, err)
		}
	}
}

func TestPlan_CheckOut(t *testing.T) {
	head, merge, base := githubtest.SHA(12), githubtest.SHA(50), githubtest.SHA(0)
	byPush := review.Plan{Do: review.Deploy, Number: 12, SHA: head}
	byComment := review.Plan{Do: review.Deploy, Number: 12, SHA: head, Exact: true}
	remove := review.Plan{Do: review.Remove, Number: 12, SHA: head}
	for _, tc := range []struct {
		name        string
		plan        review.Plan
		event       string
		held, given string
		ok          bool
	}{
		{"the head", byPush, "pull_request", head, merge, true},
		{"the merge", byPush, "pull_request", merge, merge, true},
		{"something else", byPush, "pull_request", base, merge, false},
		{"nothing", byPush, "pull_request", "", "", false},
		{"by comment, the head", byComment, "issue_comment", head, base, true},
		{"by comment, the default branch", byComment, "issue_comment", base, base, false},
		{"removing anywhere", remove, "pull_request", base, merge, true},
		{"removing on the base", remove, "pull_request_target", base, base, true},
		{"a sweep on the base", review.Plan{Do: review.Sweep}, "pull_request_target", base, base, true},
		{"a sweep on a head", review.Plan{Do: review.Sweep}, "pull_request_target", head, base, false},
		{"removing on the head with secrets", remove, "pull_request_target", head, base, false},
	} {
		if err := tc.plan.CheckOut(tc.event, tc.held, tc.given); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
