package deploy

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

func TestReservedNames_AreRefusedAllAtOnceAndByName(t *testing.T) {
	w := Wanted{
		Secrets:    []onepassword.Declaration{{Name: "PATH", Origin: "--secret"}, {Name: "GIT_TOKEN"}},
		AllowNames: []string{"RUBYOPT"},
	}
	var secrets []mask.Secret
	for _, name := range []string{"PATH", "GIT_TOKEN", "BASH_ENV", "RUBYOPT", "DOCKER_PASSWORD", "LD_PRELOAD"} {
		secrets = append(secrets, mask.NewSecret(name, "echo taken"))
	}
	problems := reservedNames(w, secrets)
	var text []string
	for _, p := range problems {
		text = append(text, p.Error()+" "+p.Hint)
	}
	if len(text) != 3 || !strings.HasPrefix(text[0], "--secret: PATH ") || !strings.HasPrefix(text[1], "BASH_ENV ") || !strings.HasPrefix(text[2], "LD_PRELOAD ") {
		t.Fatalf("%q", text)
	}
	if !strings.Contains(text[0], "--allow-name PATH") || !strings.Contains(text[1], "rename it in 1Password, or allow it with --allow-name BASH_ENV") {
		t.Errorf("%q", text)
	}
	if problem.Status(problems) != problem.Found {
		t.Errorf("the status is %d", problem.Status(problems))
	}
	if strings.Contains(strings.Join(text, ""), "echo taken") {
		t.Error("a value is shown")
	}
}
