package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A plainFile is the secrets file of the plain configuration, which Kamal passes over
// where a destination is deployed.
type plainFile struct {
	*kamal.SecretsFile
	wanted []kamal.Use // what the destination uses and only this file defines
}

// openPlain reads the plain secrets file; nil where there is none, without a
// destination, whose own it is, and where the destination has a file that it reads: of
// what is missing there each name is told.
func (c *destinationCheck) openPlain() *plainFile {
	if c.destination == "" || len(c.project.Secrets.Files) > 0 {
		return nil
	}
	path := c.project.Config.SecretsPath.Or(kamal.DefaultSecretsPath)
	file, err := kamal.ReadSecretsFile(c.o.Dir, path, c.o.Env)
	if err != nil {
		return nil // it is none of this destination's: what it cannot tell is told without it
	}
	return &plainFile{SecretsFile: file}
}

// onlyPlain reports whether the plain file alone defines what a place uses, and then keeps
// it for checkPlain: the one mistake is reported once, not for each name.
func (c *destinationCheck) onlyPlain(u kamal.Use) bool {
	if c.plain == nil || !slices.ContainsFunc(c.plain.Definitions, func(d kamal.Definition) bool { return d.Name == u.Name }) {
		return false
	}
	c.plain.wanted = append(c.plain.wanted, u)
	return true
}

// checkPlain says what stands in the plain secrets file, where Kamal does not look.
func (c *destinationCheck) checkPlain() {
	if c.plain == nil || len(c.plain.wanted) == 0 {
		return
	}
	var names []string
	for _, u := range c.plain.wanted {
		if !slices.Contains(names, u.Name) {
			names = append(names, u.Name)
		}
	}
	are := "are"
	if len(names) == 1 {
		are = "is"
	}
	c.report(RuleUndefined, Error, "", problem.New(
		fmt.Sprintf("%s %s defined in %s, and not in %s", strings.Join(names, ", "), are, c.plain.Path, c.fileNames()),
		"with a destination Kamal does not read "+c.plain.Path+": rename it to "+c.project.Secrets.Names[0]+" if all destinations share it"), c.plain.wanted[0].Place)
}
