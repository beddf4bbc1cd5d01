package onepassword

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A Declaration is a secret that the caller wants.
type Declaration struct {
	// Name is the name the secret gets. With a reference to a whole item it is
	// empty: every field of the item is declared under its own label.
	Name string
	Ref  Reference

	// Environment, in place of Name and Ref, is the id of a 1Password Environment:
	// every variable of it is declared. Only a service account has Environments.
	Environment string

	// Variable, in place of Ref, is the variable of our environment that holds the
	// value, env://Variable: an earlier step has loaded it, and nothing is asked for
	// it. Value is what it holds, from whoever reads the environment.
	Variable string
	Value    mask.Secret

	// Origin says where the declaration stands, for messages: "--secret",
	// "input secrets, line 3".
	Origin string

	Public     bool // not to be masked; only passed through here
	AllowEmpty bool // empty values are wanted; otherwise they are a problem
}

// ParseDeclaration reads NAME=op://vault/item/field, op://vault/item or
// NAME=env://VARIABLE. The error is a *problem.Problem of wrong usage.
func ParseDeclaration(text, origin string) (Declaration, error) {
	d := Declaration{Origin: origin}
	text = strings.TrimSpace(text)
	reference := text
	if strings.TrimLeft(text, quotes) != text {
		return d, problem.Usagef(unquote, "%s: the declaration stands in quotes", origin).About(problem.Reference)
	}
	if IsVariable(text) {
		return d, problem.Usagef("write NAME="+VariableText("VARIABLE"), "%s: a secret from a variable has no name", origin).About(problem.Reference)
	}
	if !strings.HasPrefix(text, scheme) {
		name, after, ok := strings.Cut(text, "=")
		if !ok {
			return d, problem.Usagef("write NAME=op://vault/item/field, or op://vault/item for every field of an item",
				"%s: a secret has no name or no reference", origin).About(problem.Reference)
		}
		d.Name, reference = strings.TrimSpace(name), strings.TrimSpace(after)
		if !IsEnvironmentName(d.Name) {
			return d, problem.Usagef("letters, digits and _, and no digit first", "%s: %s is not the name of an environment variable", origin, quote(d.Name)).About(problem.Reference)
		}
	}
	if IsVariable(reference) {
		var err error
		d.Variable, err = ParseVariable(reference, origin+": "+d.Name)
		return d, err
	}
	ref, err := ParseReference(reference)
	if err != nil {
		if p := problem.Of(err)[0]; d.Name != "" {
			p.Message = d.Name + ": " + p.Message
			return d, p
		}
		return d, err
	}
	d.Ref = ref
	switch {
	case d.Name == "" && !ref.WholeItem():
		return d, problem.Usagef("write NAME="+reference, "%s: %s names a field but no name for it", origin, quoteReference(reference)).About(problem.Reference)
	case d.Name != "" && ref.WholeItem():
		return d, problem.Usagef("name the field, or write "+reference+" without a name for every field of the item",
			"%s: %s names an item, not a field", d.Name, quoteReference(reference)).About(problem.Reference)
	}
	return d, nil
}

// IsEnvironmentName reports whether s can be the name of an environment variable in
// a shell: letters, digits and _, no digit first.
func IsEnvironmentName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// title is what the declaration is called in a message.
func (d Declaration) title() string {
	if d.Environment != "" {
		return "Environment " + quoteReference(d.Environment)
	}
	if d.Name == "" {
		return quoteReference(d.Ref.String())
	}
	return d.Name
}

// FromVault reports whether 1Password is asked for the value.
func (d Declaration) FromVault() bool { return d.Variable == "" }
