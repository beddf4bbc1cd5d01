package deploy

import (
	"slices"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// reservedNames are the problems of declared secrets that bear the name of a
// variable which programs follow: whoever may rename a field in the vault would
// decide what is run here. A whole item or an Environment brings names that nobody
// wrote down.
func reservedNames(w Wanted, secrets []mask.Secret) problem.List {
	var problems problem.List
	for _, secret := range secrets {
		name := secret.Name()
		if !kamal.ReservedName(name) || slices.Contains(w.AllowNames, name) {
			continue
		}
		p := kamal.ReservedNameProblem(name)
		if i := slices.IndexFunc(w.Secrets, func(d onepassword.Declaration) bool { return d.Name == name }); i >= 0 && w.Secrets[i].Origin != "" {
			p.Message = w.Secrets[i].Origin + ": " + p.Message
		} else if i < 0 {
			p = kamal.ReservedFieldProblem(name)
		}
		problems = append(problems, p)
	}
	return problems
}
