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
	case strings.HasPrefix(name, settingPrefix), kamal.IsCredential(name):
		return "", problem.Usagef(hint, "%s: %s is kamal-op's own, and goes to no app", origin, name).About(problem.LoadedBefore)
	case kamal.ReservedName(name):
		return "", problem.Usagef(hint, "%s: %s is a variable that programs follow, and holds no secret", origin, name).About(problem.LoadedBefore)
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
		p := problem.Newf("%s: %s is not set here", origin, onepassword.VariableText(name)).About(problem.LoadedBefore)
		p.Hint = "an earlier step must load it, and this one be given it: on GitHub under env: of this step, " + name + ": ${{ steps.ID.outputs.NAME }}"
		if near := check.Nearest(name, slices.Sorted(maps.Keys(a.env))); near != "" {
			p.Hint = "did you mean " + onepassword.VariableText(near) + "? Else " + p.Hint
		}
		return mask.Secret{}, p
	}
	return mask.NewSecret(onepassword.VariableText(name), value), nil
}

// A namedVariable is one that an option names as env://NAME.
type namedVariable struct {
	option, name string
	secret       string // that it is declared as, of the option secret
}

// namedVariables are those that the options of a command line name; what is refused
// is left out.
func namedVariables(kctx *kong.Context) (named []namedVariable) {
	for _, flag := range kctx.Flags() {
		if !mayBeVariable(flag.Name) {
			continue
		}
		switch v := kctx.FlagValue(flag).(type) {
		case lines:
			named = append(named, variablesOf(flag.Name, v.texts())...)
		case string:
			named = append(named, variablesOf(flag.Name, []string{v})...)
		}
	}
	return named
}

// variablesOf are those that the values of an option name.
func variablesOf(option string, texts []string) (named []namedVariable) {
	for _, text := range texts {
		variable, is := variableIn(text)
		if !is {
			continue
		}
		if name, err := variableName(variable, ""); err == nil { // else it is refused where it is read
			secret, _, _ := strings.Cut(text, "=")
			named = append(named, namedVariable{option, name, strings.TrimSpace(secret)})
		}
	}
	return named
}

// takeVariables takes what the options name as env://NAME out of the environment of
// all that is started from here on: it is a secret like those of the vault.
func (a *app) takeVariables(kctx *kong.Context) {
	if named := namedVariables(kctx); len(named) > 0 {
		a.withhold(among(named))
	}
}

// among tells of a name whether it is one of some variables.
func among(named []namedVariable) func(name string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(named, func(v namedVariable) bool { return v.name == name })
	}
}

// maskVariables keeps what is in them out of all that is printed, before anything is:
// but for what is public, by its kind or because the options say so.
func (a *app) maskVariables(kctx *kong.Context) {
	var public []string
	for _, flag := range kctx.Flags() {
		if v, ok := kctx.FlagValue(flag).(lines); ok && flag.Name == "public" {
			public = v.names()
		}
	}
	for _, v := range namedVariables(kctx) {
		if v.option == "host-keys" || v.option == "ssh-certificate" || v.option == "secret" && slices.Contains(public, v.secret) {
			continue
		}
		a.gate.Mask(mask.NewSecret("", a.env[v.name])) // what there is to say of it is said of the secret
	}
}

// envFor is the environment of what is started for another destination than the one
// that is meant: less what the project file names for that as well.
func (a *app) envFor(destination string) []string {
	p := a.lookup.file
	p.destination = destination
	var named []namedVariable
	for option := range p.confirmed {
		if mayBeVariable(option) {
			for _, l := range p.values(option) {
				named = append(named, variablesOf(option, []string{l.text})...)
			}
		}
	}
	return environ.List(a.Env).Without(among(named))
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
