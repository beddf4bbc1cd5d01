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
		p := problem.Newf("%s is no name for a secret: programs that the run starts would follow its value, or run it", name).About(problem.ReservedName)
		p.Hint = "declare it under another name (deploy.yml can give it to the app under this one, as " + name + ":OTHER), or allow it with --allow-name " + name
		if i := slices.IndexFunc(w.Secrets, func(d onepassword.Declaration) bool { return d.Name == name }); i >= 0 && w.Secrets[i].Origin != "" {
			p.Message = w.Secrets[i].Origin + ": " + p.Message
		} else if i < 0 {
			p.Hint = "rename it in 1Password, or allow it with --allow-name " + name
		}
		problems = append(problems, p)
	}
	return problems
}
