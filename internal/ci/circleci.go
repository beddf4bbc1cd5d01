package ci

import "github.com/kamal-op/kamal-op/internal/gate"

// newCircleCI is a plain log: CircleCI has neither groups nor masks at run
// time, and no commands that a child could print. What it offers is a page for
// each step.
func newCircleCI(g *gate.Gate, out *gate.Stream, o Options) System {
	return newPlain("CircleCI", g, out, o)
}
