package onepassword

import (
	"fmt"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// collisions are names that two declarations have in common, a problem for each pair
// of declarations: two items may have all of their fields in common.
type collisions map[[2]string]*collision

type collision struct {
	names   []string
	problem *problem.Problem
}

// add notes a name. The problem is nil where the pair has one already.
func (c *collisions) add(name string, a, b Declaration) *problem.Problem {
	if *c == nil {
		*c = collisions{}
	}
	pair := [2]string{a.from(), b.from()}
	found := (*c)[pair]
	first := found == nil
	if first {
		found = &collision{problem: &problem.Problem{Hint: "take one of the two away", Status: problem.Usage}}
		(*c)[pair] = found
	}
	found.names = append(found.names, name)
	verb := " is"
	if len(found.names) > 1 {
		verb = " are"
	}
	found.problem.Message = fmt.Sprintf("%s%s declared twice: by %s and by %s", list(found.names), verb, pair[0], pair[1])
	if a.Name == "" && b.Name == "" {
		found.problem.Hint = "take one of the two away, rename the fields of one in 1Password, or choose a section with ?section=NAME"
	}
	if !first {
		return nil
	}
	return found.problem
}
