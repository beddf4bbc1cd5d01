package e2e

import (
	"strings"
	"testing"
)

// An image that says that it was built of the same is not built again, also for another
// destination; anything else is.
func TestReuseImage(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	c.project.edit("config/deploy.yml", "  driver: docker\n", "  driver: docker\n  args:\n    FLAVOUR: one\n  secrets:\n    - RAILS_MASTER_KEY\n")
	c.project.commit()
	m := c.rig.machine(t, c.project)
	push := func(built bool, why string, args ...string) {
		t.Helper()
		res := m.run(c.connect(), append(append(c.command("kamal", "--reuse-image"), args...), "--", "build", "push")...)
		c.succeeded(res)
		says(t, res, why)
		if ran := strings.Contains(res.Log, "Running docker buildx build"); ran != built {
			t.Errorf("it was built: %v\n%s", ran, res.Log)
		}
		if built && !strings.Contains(res.Log, "--label service=\""+c.project.Service+"\" ") {
			t.Errorf("Kamal's own label is not there\n%s", res.Log)
		}
	}
	push(true, "Building: the registry has no ")
	push(false, "built of the same: it is not built again")
	c.project.write("config/deploy.staging.yml", "env:\n  clear:\n    APP_ENV: staging\n")
	c.project.write(".kamal/secrets.staging", passedThrough(append([]string{"KAMAL_REGISTRY_PASSWORD"}, c.project.Secrets...)...))
	push(true, "Building: there are uncommitted changes")
	c.project.commit()
	push(true, "Building: the registry has no ")
	push(false, "it is not built again", "--destination", "staging")

	c.values["RAILS_MASTER_KEY"] = randomText(16)
	if err := c.vault.SetField("MyApp", "Production", "RAILS_MASTER_KEY", c.values["RAILS_MASTER_KEY"]); err != nil {
		t.Fatal(err)
	}
	push(true, "Building: the image in the registry was built of something else")

	// A deploy of what is there, to both hosts.
	res := m.run(c.connect(), c.command("setup", "--reuse-image")...)
	c.succeeded(res)
	says(t, res, "built of the same: it is not built again")
	if strings.Contains(res.Log, "Running docker buildx build") {
		t.Errorf("it was built\n%s", res.Log)
	}
	c.deployed()
	c.unlocked()
}
