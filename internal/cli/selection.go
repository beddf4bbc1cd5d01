package cli

import (
	"slices"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A selection is a switch that may name what it is for: --exact-values is for all,
// --exact-values=NAME,… for these. As an input, in the environment and in the project
// file it is true, false, or names, one a line.
type selection lines

// Decode is part of kong.MapperValue.
func (s *selection) Decode(ctx *kong.DecodeContext) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		*s = append(*s, line{text: selectedAll, origin: "--" + ctx.Value.Name})
		return nil
	}
	return (*lines)(s).Decode(ctx)
}

// IsBool is part of kong.BoolMapperValue: the flag needs no value.
func (*selection) IsBool() bool { return true }

// What a selection is beside names.
const (
	selectedAll  = "true"
	selectedNone = "false"
)

// exactFlag says which values are handed over as they are.
type exactFlag struct {
	ExactValues selection `name:"exact-values" placeholder:"NAME,…" help:"Hand values that Kamal's env file changes (line breaks, tabs, backslashes) to the containers as they are: all, or those of the secrets named (=NAME,…)." note:"See docs/secrets.md." complete:"secret" file:"yes"`
}

// exact are the values that are handed over as they are.
func (f exactFlag) exact() (e kamal.ExactValues, err error) {
	given := lines(f.ExactValues)
	names := given.names()
	switch {
	case slices.Contains(names, selectedAll) && len(slices.Compact(slices.Clone(names))) == 1:
		return kamal.ExactValues{All: true}, nil
	case slices.Contains(names, selectedNone) && len(names) == 1:
		return e, nil
	case slices.Contains(names, selectedAll) || slices.Contains(names, selectedNone):
		return e, problem.Usagef("write true for all, or names alone", "--exact-values: names stand beside true or false")
	}
	if _, err := nameSet("exact-values", given); err != nil {
		return e, err
	}
	return kamal.ExactValues{Names: names}, nil
}
