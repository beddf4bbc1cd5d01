package onepassword

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// variableScheme begins what stands in the place of a secret reference where an
// earlier step has loaded the value: env://NAME, a variable of our environment.
const variableScheme = "env://"

// IsVariable reports whether a text is meant as env://NAME.
func IsVariable(text string) bool { return strings.HasPrefix(text, variableScheme) }

// VariableText is how a variable is written in the place of a reference.
func VariableText(name string) string { return variableScheme + name }

// ParseVariable reads env://NAME. The error is a *problem.Problem of wrong usage; it
// quotes nothing that may be a value in the place of a name.
func ParseVariable(text, origin string) (name string, err error) {
	name = strings.TrimPrefix(text, variableScheme)
	if !IsEnvironmentName(name) {
		return "", problem.Usagef("write env:// and the name of the variable that holds the value: letters, digits and _, and no digit first",
			"%s: what stands behind env:// is not the name of an environment variable", origin).About(problem.LoadedBefore)
	}
	return name, nil
}
