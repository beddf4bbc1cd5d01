package broker

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A configLiteral is a value that stands in the configuration itself.
type configLiteral struct {
	Name  string `json:"name"`
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// holdsReference reports whether a value is a secret reference, or has one in it: as
// `op inject` finds them, so that shop://a/b/c is none.
func holdsReference(value string) bool {
	if !strings.Contains(value, "op://") {
		return false
	}
	if strings.HasPrefix(strings.TrimLeft(value, " \t\r\n\"'`{(<"), "op://") {
		return true
	}
	for _, m := range reference().FindAllStringIndex(value, -1) {
		if before := value[:m[0]]; before != "" && continuesWord(before[len(before)-1]) && !strings.HasSuffix(before, ":-") { // ${X:-op://…}
			continue
		}
		text := strings.Trim(value[m[0]:m[1]], "{} .")
		if ref, err := onepassword.ParseReference(text); err == nil && !ref.WholeItem() || strings.Contains(text, "$") {
			return true
		}
	}
	return false
}

// isReference reports whether a value is one reference and nothing else.
func isReference(value string) bool {
	ref, err := onepassword.ParseReference(strings.TrimSpace(value))
	return err == nil && !ref.WholeItem()
}

// isFromVault reports whether a value is the vault's as a whole. A text that is kept there
// may have references in it, such as a template of the app's.
func (j *evaluation) isFromVault(value string, d kamal.Definition) bool {
	if len(d.Parts) != 1 {
		return false
	}
	want, _, known := j.expected(d, d.Parts[0], 0)
	return known && value == want
}

// unresolved is what is wrong with a value that is still a reference: the app would
// get the text.
func (j *evaluation) unresolved(name, value string, d kamal.Definition) *problem.Problem {
	if slices.Contains(j.b.o.AllowReferences, name) || !holdsReference(value) || j.isFromVault(value, d) && !isReference(value) {
		return nil
	}
	p := problem.Newf("%s holds a secret reference (op://…), not the value that it stands for", name).About(problem.Reference)
	end := ", or allow it with --allow-reference " + name + " if the app resolves it"
	p.Hint = "declare it, as in --secret " + name + "=op://vault/item/field" + end
	switch {
	case d.Kind == kamal.PassThrough:
		p.Message += ": so does $" + d.Parts[0].Name
		p.Hint = "declare it, as in --secret " + d.Parts[0].Name + "=op://vault/item/field, in place of setting it in the environment" + end
	case d.Kind == kamal.Literal:
		p.Hint = "write " + name + "=$(op read op://vault/item/field) there" + end
	case d.Kind == kamal.Extract, d.Kind == kamal.Read:
		p.Hint = "put the value into the field in 1Password" + end
	}
	return p
}

// literals are the problems of values that stand in the configuration and are
// references: nothing resolves them.
func (j *evaluation) literals() problem.List {
	var problems problem.List
	for _, l := range j.c.Literals {
		if slices.Contains(j.b.o.AllowReferences, l.Name) || !holdsReference(string(l.Value)) {
			continue
		}
		p := problem.Newf("%s of deploy.yml holds a secret reference (op://…), which nothing resolves there", l.Key).About(problem.Reference)
		p.Hint = "name " + l.Name + " under secret, and declare it, as in --secret " + l.Name +
			"=op://vault/item/field; or allow it with --allow-reference " + l.Name + " if the app resolves it"
		problems = append(problems, p)
	}
	return problems
}
