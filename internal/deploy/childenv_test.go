package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/mask"
)

func TestChildEnv_LeavesOutOurCredentials(t *testing.T) {
	env := newChildEnv([]string{
		"PATH=/bin", "A=1", "A=2", "OP_SERVICE_ACCOUNT_TOKEN=x", "OP_CONNECT_TOKEN=x", "INPUT_SSH-KEY=x",
		"KAMAL_OP_SECRETS=x", "KAMAL_REGISTRY_PASSWORD=kept", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=me",
	})
	env.Set("A", "3")
	env.Set("B", "with = and \n a line")
	env.prependPath("/run/dir")
	env.addGitConfig("safe.directory", "*")
	want := []string{
		"PATH=/run/dir:/bin", "A=3", "KAMAL_REGISTRY_PASSWORD=kept", "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=user.name",
		"GIT_CONFIG_VALUE_0=me", "B=with = and \n a line", "GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
	}
	if diff := cmp.Diff(want, []string(env.List)); diff != "" {
		t.Error(diff)
	}
}

// What is no number of settings is none, as git takes it for an error.
func TestChildEnv_GitConfigBehindNone(t *testing.T) {
	for _, count := range []string{"", "x", "-1"} {
		env := newChildEnv([]string{"GIT_CONFIG_COUNT=" + count})
		env.addGitConfig("safe.directory", "*")
		want := []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}
		if diff := cmp.Diff(want, []string(env.List)); diff != "" {
			t.Errorf("%q: %s", count, diff)
		}
	}
}

func TestDockerConfig_KeepsTheUsersSettings(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	own := filepath.Join(home, ".docker")
	if err := os.MkdirAll(filepath.Join(own, "contexts", "meta"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := []byte(`{"credHelpers": {"gcr.io": "gcloud"}, "currentContext": "far"}`)
	if err := os.WriteFile(filepath.Join(own, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	vars, err := dockerConfig(dir, map[string]string{"HOME": home})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"DOCKER_CONFIG=" + dir, "BUILDX_CONFIG=" + filepath.Join(own, "buildx")}, vars); diff != "" {
		t.Error(diff)
	}
	copied := filepath.Join(dir, "config.json")
	if got, err := os.ReadFile(copied); err != nil || string(got) != string(config) {
		t.Errorf("config.json is %q, %v", got, err)
	}
	if info, err := os.Lstat(copied); err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
		t.Errorf("config.json is a %v: what docker login writes there would be the user's", info.Mode())
	}
	if _, err := os.Stat(filepath.Join(dir, "contexts", "meta")); err != nil {
		t.Errorf("the user's contexts are not there: %v", err)
	}

	// A person without a docker configuration, and one with builders elsewhere.
	empty := t.TempDir()
	vars, err = dockerConfig(empty, map[string]string{"HOME": t.TempDir(), "BUILDX_CONFIG": "/builders"})
	if err != nil || len(vars) != 1 {
		t.Errorf("%q, %v", vars, err)
	}
}

// Without the user's configuration a build would lack the logins that it pulls with: one
// that cannot be read stops the run.
func TestDockerConfig_OneThatCannotBeReadStops(t *testing.T) {
	own := t.TempDir()
	if err := os.Mkdir(filepath.Join(own, "config.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if vars, err := dockerConfig(t.TempDir(), map[string]string{"DOCKER_CONFIG": own}); err == nil {
		t.Errorf("%q", vars)
	}
}

// Secrets of which each may be in an environment are refused where all of them cannot.
func TestAddSecrets_RefusesTooMuchTogether(t *testing.T) {
	most := kamal.MaxArguments()
	if most == 0 {
		t.Skip("how much the system takes is not known")
	}
	const each = 100 << 10
	for n, want := range map[int]bool{most / each: false, most/each + 1: true} {
		s := &resources{}
		for i := range n {
			s.secrets = append(s.secrets, mask.NewSecret(fmt.Sprintf("S%03d", i), strings.Repeat("x", each)))
		}
		_, err := s.childEnv()
		if refused := err != nil && strings.Contains(err.Error(), "too long together"); refused != want || err != nil && !refused {
			t.Errorf("%d secrets: %v", n, err)
		}
	}
}
