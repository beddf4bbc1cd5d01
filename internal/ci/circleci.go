package ci

import "io"

// newCircleCI is a plain log: CircleCI has neither groups nor masks at run
// time, and no commands that a child could print. What it offers is a page for
// each step.
func newCircleCI(out io.Writer, o Options) System { return newPlain("CircleCI", out, o) }
