package deploy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChildEnv(t *testing.T) {
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

func TestDockerConfig_CarriesOverWhatIsTheUsers(t *testing.T) {
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
