package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// As PID 1 of the action's container we bury what is left to us, and take
// nobody's exit status.
func TestActionBuriesWhatIsLeftToIt(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.write("orphans", "#!/bin/sh\n"+
		`for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'setsid sleep 0.1 & exit 0'; done
sleep 1
cut -d ' ' -f 3 /proc/[0-9]*/stat | grep -c Z
sh -c 'setsid sleep 600 >/dev/null 2>&1 &'
exit 7
`)
	c.project.commit()
	inputs := c.connectInputs()
	inputs["command"], inputs["args"] = "run", "./orphans"
	step, res := c.action(inputs)
	res = step.shown(res)
	c.ended(res, 7)
	if strings.TrimSpace(res.Stdout) != "0" {
		t.Errorf("zombies: %s", res.Stdout)
	}
	step.clean()
}

// What a run writes into the workspace of a self-hosted runner belongs to that
// runner's user, though the action's container runs as root.
func TestActionReturnsTheWorkspace(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.write(".kamal/hooks/pre-build", "#!/bin/sh\nmkdir -p built/by && echo x >built/by/hook && ln -s /etc/passwd built/link && git status >/dev/null\n")
	c.project.write(".gitignore", "built\n")
	c.project.commit()
	const owner = 12345
	mustDocker(t, "run", "--rm", "--label", label(), "--entrypoint", "chown", "-v", c.project.Dir+":/project", os.Getenv(envKamal), "-R", strconv.Itoa(owner), "/project")
	step, res := c.action(c.connectInputs())
	c.succeeded(step.shown(res))
	seen := 0
	err := filepath.WalkDir(c.project.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != owner {
			t.Errorf("%s belongs to %d", path, uid)
		}
		if strings.Contains(path, "/built/") {
			seen++
		}
		return nil
	})
	if err != nil || seen != 3 {
		t.Errorf("%v; the hook made %d", err, seen)
	}
	if info, err := os.Stat("/etc/passwd"); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("a link's target was changed: %v", err)
	}
}
