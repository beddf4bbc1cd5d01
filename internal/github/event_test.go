package github_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/github"
)

func TestParseEvent_BadPayloads(t *testing.T) {
	for name, payload := range map[string]string{
		"empty":             ``,
		"no JSON":           `hello`,
		"an array":          `[]`,
		"no pull request":   `{"action":"opened"}`,
		"no number":         `{"action":"opened","pull_request":{"head":{"sha":"` + strings.Repeat("a", 40) + `"}}}`,
		"no head":           `{"action":"opened","pull_request":{"number":3,"base":{"repo":{"full_name":"a/b"}}}}`,
		"a head that isn't": `{"action":"opened","pull_request":{"number":3,"head":{"sha":"$(id)"},"base":{"repo":{"full_name":"a/b"}}}}`,
		"a null":            `{"action":"opened","pull_request":null}`,
		"number as text":    `{"action":"opened","pull_request":{"number":"3; rm -rf /"}}`,
	} {
		if _, err := github.ParseEvent("pull_request", []byte(payload)); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			wantProblem(t, err, "the payload of the event pull_request cannot be read")
		}
	}
	for _, payload := range []string{
		`{"action":"created","issue":{"number":3}}`,
		`{"action":"created","issue":{"number":3},"comment":{"id":0}}`,
		`{"action":"created","issue":{"number":0},"comment":{"id":1}}`,
		`{"action":"created","issue":{"number":-3},"comment":{"id":1}}`,
		`{"action":"created","comment":{"id":1}}`,
	} {
		_, err := github.ParseEvent("issue_comment", []byte(payload))
		wantProblem(t, err, "there is no comment in it")
	}
	if e, err := github.ParseEvent("issue_comment", []byte(`{"action":"created","issue":{"number":1},"comment":{"id":1}}`)); err != nil || e.OnPull || e.Number != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := github.ParseEvent("schedule", []byte(`"`+strings.Repeat("x", 32<<20)+`"`)); err == nil {
		t.Error("a payload without an end was read")
	}
}

func TestParseEvent_OtherKinds(t *testing.T) {
	e, err := github.ParseEvent("schedule", []byte(`{"schedule":"0 3 * * *","repository":{"full_name":"acme/shop"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(github.Event{Name: "schedule", Repository: "acme/shop"}, e); diff != "" {
		t.Error(diff)
	}
	e, err = github.ParseEvent("workflow_dispatch", []byte(`{"inputs":{"a":"x","n":12,"b":true,"z":null},"repository":{"full_name":"acme/shop"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "x", "n": "12", "b": "true"}, e.Inputs); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add("pull_request", []byte(`{"action":"opened","pull_request":{"number":3,"head":{"sha":"`+strings.Repeat("a", 40)+`"},"base":{"repo":{"full_name":"a/b"}}}}`))
	f.Add("issue_comment", []byte(`{"issue":{"number":1,"pull_request":{}},"comment":{"id":1}}`))
	f.Add("workflow_dispatch", []byte(`{"inputs":{"a":1e400}}`))
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		e, err := github.ParseEvent(name, payload)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q", err)
			}
			return
		}
		if e.Pull != nil && (e.Pull.Number <= 0 || len(e.Pull.HeadSHA) < 40) {
			t.Errorf("pull request %+v", e.Pull)
		}
	})
}
