package e2e

import (
	"strings"
	"testing"
)

// As PID 1 of the action's container we bury what is left to us, and take
// nobody's exit status.
func TestActionBuriesWhatIsLeftToIt(t *testing.T) {
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
