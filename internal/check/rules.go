package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// The rules. Their names are stable: SARIF, JSON and people's configuration name
// them.
const (
	RuleUndefined    = "undefined"
	RuleAlias        = "alias-to-nothing"
	RuleNotFetched   = "not-fetched"
	RuleNotExtracted = "not-extracted"
	RuleNotInVault   = "not-in-vault"
	RuleEmpty        = "empty"
	RulePlaintext    = "plaintext"
	RuleLost         = "lost-in-destination"
	RuleClear        = "also-clear"
	RuleSyntax       = "syntax"
	RuleAccount      = "no-account"
	RuleUnused       = "unused"
	RuleIgnored      = "ignored-by-git"
	RulePrivilege    = "more-vaults-than-needed"
	RuleReference    = "unresolved-reference"
	RuleShell        = "shell-syntax"
	RuleNoSource     = "no-source"
	RuleReserved     = "reserved-name"
	RuleRefused      = "refused-by-kamal"
)

// rules are all rules with what each is about, in the order of the documentation.
func rules() [][2]string {
	return [][2]string{
		{RuleUndefined, "deploy.yml names a secret that no secrets file defines"},
		{RuleAlias, "an alias in deploy.yml names a secret that no secrets file defines"},
		{RuleNotFetched, "a secret is extracted that was not fetched"},
		{RuleNotExtracted, "a secret is fetched and never extracted"},
		{RuleNotInVault, "the vault has no such item or field"},
		{RuleEmpty, "a secret that the configuration uses is empty"},
		{RulePlaintext, "a secrets file holds a value in the clear"},
		{RuleLost, "a destination replaces a list and so loses secrets"},
		{RuleClear, "a name is both a secret and in the clear"},
		{RuleSyntax, "a line that Kamal does not understand"},
		{RuleAccount, "a fetch from 1Password without --account"},
		{RuleUnused, "a secret is defined and nowhere used"},
		{RuleIgnored, "git ignores the secrets file, so CI does not have it"},
		{RulePrivilege, "the credentials can read more vaults than the project needs"},
		{RuleReference, "a value is a secret reference that nothing resolves"},
		{RuleShell, "a value has a shell's syntax that dotenv does not know"},
		{RuleNoSource, "a secrets file passes on a variable that nothing here gives a value"},
		{RuleReserved, "a declared secret has the name of a variable that programs follow"},
		{RuleRefused, "Kamal loads the configuration and does not deploy it"},
	}
}

// help is where more is written of what a rule finds.
func help(rule string) problem.Help {
	switch rule {
	case RuleUndefined, RuleAlias:
		return problem.SecretMissing
	case RuleNotInVault:
		return problem.FieldMissing
	case RuleEmpty:
		return problem.EmptySecret
	case RuleReference:
		return problem.Reference
	}
	return problem.Checking
}

// checkRefused says why Kamal would not deploy the configuration, where it was asked.
func (c *destinationCheck) checkRefused() {
	if refused := c.project.Config.Refused; refused != nil {
		p := *refused
		c.report(RuleRefused, Error, "", &p, refused.Place)
	}
}

// checkUses looks at every place of deploy.yml that names a secret.
func (c *destinationCheck) checkUses() {
	clear := map[[2]string][]kamal.Use{} // by their name and the env they are in
	for _, shown := range c.project.Config.Clear {
		of := [2]string{shown.As, strings.TrimSuffix(shown.Key, ".clear")}
		clear[of] = append(clear[of], shown)
	}
	for _, u := range c.project.Config.Uses {
		if d, ok := c.definition(u.Name); ok {
			if c.isEmpty(d) && !slices.Contains(c.o.AllowEmpty, u.Name) {
				c.report(RuleEmpty, Error, u.Name, problem.New(u.Name+" is empty, and "+u.Place.String()+" uses it",
					"give it a value, or allow it with --allow-empty "+u.Name), d.Place)
			}
		} else if !c.declared(u.Name) {
			c.undefined(u)
		}
		for _, shown := range clear[[2]string{u.As, strings.TrimSuffix(u.Key, ".secret")}] {
			c.report(RuleClear, Error, u.Name, problem.New(
				u.As+" is a secret and stands under "+shown.Key+" too: its value there is in the clear in every process list",
				"remove it from "+shown.Key), shown.Place)
		}
	}
}

// checkPerhaps looks at the places that name a secret if ERB leaves them in.
func (c *destinationCheck) checkPerhaps() {
	for _, u := range c.project.Config.Perhaps {
		d, ok := c.definition(u.Name)
		switch {
		case !ok && !c.declared(u.Name):
			c.report(RuleUndefined, Warning, u.Name, problem.New(
				fmt.Sprintf("%s is named under %s, where ERB leaves it in, but not defined in %s", u.Name, u.Key, c.fileNames()),
				"add it to "+c.fileToEdit()+", or take it out of deploy.yml; --erb has Kamal say whether it is used"), u.Place)
			c.ofFiles()
		case ok && c.isEmpty(d) && !slices.Contains(c.o.AllowEmpty, u.Name):
			c.report(RuleEmpty, Warning, u.Name, problem.New(u.Name+" is empty, and "+u.Place.String()+" uses it where ERB leaves that in",
				"give it a value, or allow it with --allow-empty "+u.Name), d.Place)
		}
	}
}

// undefined is a use of a secret that no file defines.
func (c *destinationCheck) undefined(u kamal.Use) {
	rule := RuleUndefined
	if pipe := c.pipe(); pipe != "" {
		c.report(rule, Note, u.Name, problem.New(fmt.Sprintf("%s is named under %s; whether %s defines it is not known here", u.Name, u.Key, pipe),
			"it is a pipe, which gives its text to one reader, and that is Kamal"), u.Place)
		return
	}
	message := fmt.Sprintf("%s is named under %s but not defined in %s", u.Name, u.Key, c.fileNames())
	hint := "add it to " + c.fileToEdit() + ", or take it out of deploy.yml"
	if u.As != u.Name {
		rule = RuleAlias
		message = fmt.Sprintf("%s is an alias to %s, which is not defined in %s", u.As, u.Name, c.fileNames())
	}
	if near := c.nearDefinition(u.Name); near != "" {
		hint += ". Did you mean " + near + "?"
	}
	if i := slices.IndexFunc(c.whole, func(w *wholeItem) bool { return w.known }); i >= 0 {
		item := "op://" + c.whole[i].Ref.Vault + "/" + c.whole[i].Ref.Item
		message += ", and " + item + " (" + c.whole[i].Origin + ") has no such field"
		hint = "add the field " + u.Name + " to " + item + " in 1Password, or take it out of deploy.yml"
	}
	level := Error
	switch {
	case !c.o.Run && c.deployInputs().writesFiles:
		level, hint = Note, "the pipeline that deploys writes a secrets file: what then stands in it is not known here"
	case c.onlyPlain(u):
		return
	}
	c.report(rule, level, u.Name, problem.New(message, hint), u.Place)
	c.ofFiles()
}

// ofFiles says of the last finding that it is one of all the secrets files.
func (c *destinationCheck) ofFiles() {
	last := &c.findings[len(c.findings)-1]
	last.lookedIn, last.belongs = c.project.Secrets.Names, []string{c.fileToEdit()}
}

// pipe is a secrets file that is no regular one, such as that of a 1Password Environment
// that is mounted; "" where there is none.
func (c *destinationCheck) pipe() string {
	for _, file := range c.project.Secrets.Files {
		if file.Opaque {
			return file.Path
		}
	}
	return ""
}

// maxCompared is for how many names of a destination a similar one is looked for:
// beyond it, something else than a slip is wrong.
const maxCompared = 100

// nearDefinition is a defined name that is spelt almost like name.
func (c *destinationCheck) nearDefinition(name string) string {
	if c.compared++; c.compared > maxCompared {
		return ""
	}
	var names []string
	for _, d := range c.definitions() {
		if d.Kind != kamal.Fetch {
			names = append(names, d.Name)
		}
	}
	return Nearest(name, names)
}

// isEmpty reports whether a definition has no value at all.
func (c *destinationCheck) isEmpty(d *kamal.Definition) bool {
	for _, p := range d.Parts {
		if p.Kind != kamal.Literal || p.Text != "" {
			return false
		}
	}
	return true
}

// checkDefinitions looks at every definition: at the values of those that hold, and at
// the commands of all, since Kamal runs also those whose value another line replaces.
func (c *destinationCheck) checkDefinitions() {
	for _, file := range c.project.Secrets.Files {
		for i := range file.Definitions {
			d := &file.Definitions[i]
			if held, _ := c.definition(d.Name); held != d {
				c.checkCommands(d)
			}
		}
	}
	for _, d := range c.definitions() {
		c.checkCommands(d)
		c.checkLeftOver(d)
		c.checkPlaintext(d)
		c.checkShell(d)
		c.checkReference(d)
		if d.Kind != kamal.Fetch && !keyword().MatchString(d.Name) && !c.used(d.Name) && !c.inHooks(d.Name) && !c.index.sources[d.Name] && len(c.project.Config.Unknown) == 0 {
			c.report(RuleUnused, Warning, d.Name, problem.New(d.Name+" is defined but nowhere used",
				"name it in deploy.yml, or take the line out"), d.Place)
		}
	}
}

// checkCommands looks at what Kamal runs for a definition.
func (c *destinationCheck) checkCommands(d *kamal.Definition) {
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Shell != "" {
			c.report(RuleSyntax, Error, d.Name, problem.New(
				d.Name+" has "+p.Shell+" in a command of kamal secrets, which Kamal runs without a shell: it is taken for a name",
				"give a fetch a line of its own, SECRETS=$(kamal secrets fetch …), and extract from $SECRETS; bundle exec before kamal has a shell run it"), p.Place)
			continue
		}
		switch p.Kind {
		case kamal.Fetch:
			c.checkFetch(d, p)
		case kamal.Extract:
			if where, lost := c.sourceLost(d, p); lost {
				level := Error
				if where == undefinedSource && c.o.Env == nil {
					level = Warning // what starts the deploy may give it
				}
				c.report(RuleNotFetched, level, d.Name, problem.New(
					p.Name+" is extracted from "+p.Source+", which "+where,
					"put the fetch above this line, into this file"), p.Place)
			} else if fetch, ok := c.fetchOf(d, p); ok && !c.index.of(fetch).mayGive(p.Name) {
				c.notFetched(d, p, fetch)
			} else if ok && fetch.Inline && p.Inline && quotedVariable().MatchString(p.Text) {
				c.report(RuleSyntax, Error, d.Name, problem.New(
					"$"+p.Source+" is in quotes: Kamal has escaped what it fetched, which is no JSON there, and stops",
					"take the quotes around $"+p.Source+" off"), p.Place)
			}
		}
	}
}

// keyword is a word of the shell's that dotenv takes for a name without a value.
var keyword = lazy.Regexp(`^(?:then|else|fi|do|done|esac)$`)

// quotedVariable is a variable as a quoted word. Kamal puts it in escaped, as a word
// without quotes (lib/kamal/cli/secrets.rb, fetch).
var quotedVariable = lazy.Regexp(`["']\$(?:\w+|\{\w+\})["']`)

// checkLists looks whether the destination's file replaces a list of secrets by a
// shorter one: Kamal merges hashes and replaces lists.
func (c *destinationCheck) checkLists() {
	if c.base == nil {
		return
	}
	for _, key := range keysOf(c.base.Uses) {
		before, after := usesOf(c.base.Uses, key), usesOf(c.project.Config.Uses, key)
		if len(after) == 0 || len(before) == 0 || after[0].Place.File == before[0].Place.File || !strings.HasSuffix(key, "secret") && !strings.HasSuffix(key, "secrets") {
			continue // the password of a registry is one name, and replacing it is what it is there for
		}
		var lost []string
		for _, u := range before {
			same := func(other kamal.Use) bool { return other.As == u.As }
			if !slices.ContainsFunc(after, same) && !slices.ContainsFunc(c.project.Config.Clear, same) {
				lost = append(lost, u.As)
			}
		}
		if len(lost) > 0 {
			c.report(RuleLost, Note, lost[0], problem.New(
				fmt.Sprintf("%s here replaces the list at %s, without %s", key, before[0].Place, strings.Join(lost, ", ")),
				"where this destination needs them, name them here too: Kamal merges hashes and replaces lists"), after[0].Place)
		}
	}
}

// checkFiles looks at the secrets files as a whole.
func (c *destinationCheck) checkFiles() {
	for _, file := range c.project.Secrets.Files {
		for _, line := range file.Ignored {
			level, hint := Warning, "dotenv is no shell and runs no statement: nothing that is used here needs the line"
			if line.Decides {
				hint = "dotenv is no shell and decides nothing: every NAME=value below it counts, and the last one wins"
			}
			switch {
			case c.needed(line) && line.Adds != "":
				level, hint = Error, "dotenv adds to no value: write "+line.Adds+"=$"+line.Adds+"… on a line below the first"
			case line.Function != "" && c.callsFunction(line.Function):
				level, hint = Error, "dotenv knows no functions, and Kamal finds no command "+line.Function+": write what it does into each $(…), or into a script"
			case c.needed(line):
				level, hint = Error, "a command that goes over several lines needs double quotes around it; names have letters, digits, _ and ."
			}
			c.report(RuleSyntax, level, "", problem.New("the line is passed over: it is neither NAME=value nor a comment", hint), line.Place)
		}
		for _, at := range file.Unset {
			c.report(RuleSyntax, Error, "", problem.New("export names a variable that is not defined, and Kamal stops there",
				"write export NAME=value, or take the line out"), at)
		}
		if pattern, at, ok := IgnoredByGit(c.o.Dir, file.Path); ok {
			c.report(RuleIgnored, Warning, "", problem.New(file.Path+" is hidden from git by "+pattern+", so CI does not have it",
				"commit it: it holds no values, only where they are"), at)
		}
	}
}

// fileNames are the secrets files as Kamal looks for them.
func (c *destinationCheck) fileNames() string {
	return oneOf(c.project.Secrets.Names)
}

// fileToEdit is the file where a definition belongs: the last one that is there.
func (c *destinationCheck) fileToEdit() string {
	if files := c.project.Secrets.Files; len(files) > 0 {
		return files[len(files)-1].Path
	}
	return c.project.Secrets.Names[len(c.project.Secrets.Names)-1]
}

func keysOf(uses []kamal.Use) []string {
	var keys []string
	for _, u := range uses {
		if !slices.Contains(keys, u.Key) {
			keys = append(keys, u.Key)
		}
	}
	return keys
}

func usesOf(uses []kamal.Use, key string) []kamal.Use {
	var of []kamal.Use
	for _, u := range uses {
		if u.Key == key {
			of = append(of, u)
		}
	}
	return of
}
