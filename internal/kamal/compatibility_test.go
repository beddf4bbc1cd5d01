package kamal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A run of an older v1 and one of a newer know each other's locks: the mark that the
// first version wrote is read, and what is written still has its line. Never change
// this text: locks with it stand on servers.
func TestCompatibility_Mark(t *testing.T) {
	const first = `kamal-op: {"nonce":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","system":"GitHub","server":"https://github.com","repository":"example/myapp",` +
		`"run":12,"attempt":2,"job":"deploy","job_id":99,"runner":"GitHub Actions 3","actor":"someone","link":"https://github.com/example/myapp/actions/runs/12"}`
	want := Mark{
		Nonce: aNonce, System: "GitHub", Server: "https://github.com", Repository: "example/myapp", Run: 12, Attempt: 2,
		Job: "deploy", JobID: 99, Runner: "GitHub Actions 3", Actor: "someone", Link: "https://github.com/example/myapp/actions/runs/12",
	}
	if diff := cmp.Diff(want, ParseLock(details("Jane", automaticLock, first)).Mark); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(want.Lines(), first) {
		t.Errorf("written is\n%s\nand not\n%s", want.Lines(), first)
	}
}
