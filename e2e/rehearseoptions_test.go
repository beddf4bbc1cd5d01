package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The options of a rehearsal do what their help says: another configuration and its
// destination, a value of its own and one that is made up, the hooks, another Kamal.
func TestRehearseOptions(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	deploy, err := os.ReadFile(filepath.Join(c.project.Dir, "config/deploy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	c.project.write("config/other.yml", string(deploy))
	c.project.write("config/deploy.yml", "<% raise 'not this one' %>\n")
	c.project.write("config/other.staging.yml", "env:\n  clear:\n    COLOUR: <%= ENV.fetch('COLOUR') %>\n")
	c.project.write(".kamal/secrets.staging", passedThrough(append([]string{"KAMAL_REGISTRY_PASSWORD"}, c.project.Secrets...)...))
	c.project.write("values", "# a value of ours\nRAILS_MASTER_KEY=a-sample-value\n")
	c.project.write("tools/kamal", "#!/bin/sh\ntouch /tmp/another-kamal\nexec kamal \"$@\"\n")
	c.project.write(".kamal/hooks/post-deploy", `#!/bin/sh
docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' $(docker ps --quiet --filter label=destination=staging) |
  sed -n -E 's/^(COLOUR=.*)/the app has \1/p; s/^RAILS_MASTER_KEY=//p' | while read -r line; do
  case $line in "the app has "*) echo "$line" ;; *) printf %s "$line" | sha256sum ;; esac
done >/tmp/hook-told
`)
	c.project.commit()
	s := c.runner()
	m := &machine{t: t, id: s.id, project: c.project}
	res := m.run(nil, "sh", "-c", "cd /home/project && exec kamal-op rehearse --project . --config-file config/other.yml --destination staging"+
		" --with-hooks --values values --env COLOUR=green --kamal tools/kamal")
	c.ended(res, 0)
	told := s.mustExec(t, "cat", "/tmp/hook-told")
	for _, want := range []string{"the app has COLOUR=green", digest("a-sample-value")} {
		if !strings.Contains(told, want) {
			t.Errorf("the hook has not seen %q: %q", want, told)
		}
	}
	s.mustExec(t, "test", "-e", "/tmp/another-kamal")
	c.loggedIn(0)
}
