package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/mask"
)

// mayBeVariable tells whether an option takes env://NAME in the place of a reference:
// what an earlier step has loaded.
func mayBeVariable(option string) bool {
	return slices.Contains([]string{"secret", "ssh-key", "ssh-key-passphrase", "ssh-certificate", "host-keys"}, option)
}

// variableIn is what an option's value has in the place of a reference, where that is
// env://NAME.
func variableIn(text string) (variable string, is bool) {
	if name, after, ok := strings.Cut(text, "="); ok && onepassword.IsEnvironmentName(strings.TrimSpace(name)) {
		text = after
	}
	text = strings.TrimSpace(text)
	return text, onepassword.IsVariable(text)
}

// variableName is the name in env://NAME, where its value may be taken: it is none of
// our own, and nothing that programs follow.
func variableName(text, origin string) (string, error) {
	name, err := onepassword.ParseVariable(text, origin)
	if err != nil {
		return "", err
	}
	const hint = "name the variable that an earlier step has loaded the value into"
	switch {
	case strings.HasPrefix(name, settingPrefix), len(kamal.WithoutCredentials([]string{name + "="})) == 0:
		return "", problem.Usagef(hint, "%s: %s is kamal-op's own, and goes to no app", origin, name)
	case kamal.ReservedName(name):
		return "", problem.Usagef(hint, "%s: %s is a variable that programs follow, and holds no secret", origin, name)
	}
	return name, nil
}

// A variableReader gives the value of env://NAME.
type variableReader func(text, origin string) (mask.Secret, error)

// unread names a variable and reads none: what is in it is another job's matter.
func unread(text, origin string) (mask.Secret, error) {
	name, err := variableName(text, origin)
	return mask.NewSecret(onepassword.VariableText(name), ""), err
}

// loaded is what an earlier step has loaded into a variable. A value that is empty is
// one; one that is not there is a problem.
func (a *app) loaded(text, origin string) (mask.Secret, error) {
	name, err := variableName(text, origin)
	if err != nil {
		return mask.Secret{}, err
	}
	value, there := a.env[name]
	if !there {
		p := problem.Newf("%s: %s is not set here", origin, onepassword.VariableText(name))
		p.Hint = "an earlier step must load it, and this one be given it: on GitHub under env: of this step, " + name + ": ${{ steps.ID.outputs.NAME }}"
		if near := check.Nearest(name, slices.Sorted(maps.Keys(a.env))); near != "" {
			p.Hint = "did you mean " + onepassword.VariableText(near) + "? Else " + p.Hint
		}
		return mask.Secret{}, p
	}
	return mask.NewSecret(onepassword.VariableText(name), value), nil
}

// takeVariables takes what the options name as env://NAME out of the environment of
// all that is started from here on: it is a secret like those of the vault.
func (a *app) takeVariables(kctx *kong.Context) {
	taken := map[string]bool{}
	for _, flag := range kctx.Flags() {
		if !mayBeVariable(flag.Name) {
			continue
		}
		var texts []string
		switch v := kctx.FlagValue(flag).(type) {
		case lines:
			texts = v.texts()
		case string:
			texts = []string{v}
		}
		for _, text := range texts {
			if variable, is := variableIn(text); is {
				if name, err := variableName(variable, ""); err == nil { // else it is refused
					taken[name] = true
				}
			}
		}
	}
	if len(taken) == 0 {
		return
	}
	a.Env = environ.List(a.Env).Without(func(name string) bool { return taken[name] })
	if a.helpers != nil {
		a.helpers.env = environ.List(a.helpers.env).Without(func(name string) bool { return taken[name] })
	}
}

// variables are the problems of a project file that reaches into the environment and
// is not trusted to: whoever may change it could hand any token of the job to the app.
func (p projectOptions) variables() (problems problem.List) {
	if p.trusted || p.file == nil {
		return nil
	}
	for option := range p.confirmed {
		if !mayBeVariable(option) {
			continue
		}
		for _, l := range p.file.Values(option, p.destination) {
			if _, is := variableIn(l.Text); is {
				q := problem.Usagef("say it where the deploy is started (in the workflow), or give --trust-project-file there",
					"%s: env:// counts from %s only with --trust-project-file: it reaches into the environment of the job", option, projectfile.Name)
				q.Place = p.file.Place(l)
				problems = append(problems, q)
			}
		}
	}
	slices.SortFunc(problems, func(a, b *problem.Problem) int { return a.Place.Line - b.Place.Line })
	return problems
}
