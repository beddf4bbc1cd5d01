package check

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// notFetched is an extract by a name that its fetch does not give.
func (c *destinationCheck) notFetched(d *kamal.Definition, p, fetch *kamal.Part) {
	hint := "add " + p.Name + " to the fetch at " + fetch.Place.String()
	for _, w := range fetch.Wanted {
		// Kamal takes /password off the name that it gives a field.
		names := extractNames(w)
		short, cut := strings.CutSuffix(p.Name, "/password")
		switch {
		case cut && slices.Contains(names, short):
			hint = "Kamal takes /password off the end: extract it as " + short
		case p.Name == "password" && w.Field == "password":
			hint = "Kamal takes /password off the end: extract it as " + names[len(names)-1]
		}
		if path, ok := strings.CutPrefix(p.Name, "op://"); ok && newFetchIndex(fetch).gives(path) {
			hint = "leave op:// away: extract it as " + path
		}
	}
	c.report(RuleNotFetched, Error, d.Name, problem.New(p.Name+" is extracted from "+p.Source+", which does not fetch it", hint), p.Place)
}

// undefinedSource is why an extract has nothing where no file has its variable.
const undefinedSource = "nothing defines"

// sourceLost reports whether the variable that an extract takes its value from has
// none at that line, and why. Each secrets file is parsed alone, from its first
// line on: a variable of .kamal/secrets-common is not seen in .kamal/secrets.
func (c *destinationCheck) sourceLost(d *kamal.Definition, extract *kamal.Part) (why string, lost bool) {
	if extract.Source == "" {
		return "", false
	}
	if _, ok := c.index.before(d, extract.Source); ok {
		return "", false
	}
	for _, file := range c.project.Secrets.Files {
		for _, other := range file.Definitions {
			switch {
			case other.Name != extract.Source:
			case file.Path != d.Place.File:
				return "is defined in " + other.Place.String() + ": variables of one secrets file are not seen in another", true
			default:
				return "is defined below this line, at " + other.Place.String(), true
			}
		}
	}
	for _, entry := range c.o.Env {
		if strings.HasPrefix(entry, extract.Source+"=") {
			return "", false
		}
	}
	return undefinedSource, true
}

// checkFetch looks at one fetch: whether it can work.
func (c *destinationCheck) checkFetch(d *kamal.Definition, fetch *kamal.Part) {
	if fetch.OnePassword() && fetch.Account == "" && fetch.Known {
		c.report(RuleAccount, Error, d.Name, problem.New(
			"the fetch has no --account, which Kamal's adapter for 1Password needs even with a service account",
			"add --account and the account's name: it is not looked at, but Kamal stops without it"), fetch.Place)
	}
	if fetch.NeedsAccount() && fetch.Account == "" && fetch.Known {
		c.report(RuleAccount, Error, d.Name, problem.New(
			"the fetch has no --account, which Kamal's adapter "+fetch.Adapter+" needs",
			"add --account and the account's name"), fetch.Place)
	}
	if needs, sure := fetch.NeedsNames(); needs && fetch.Known && len(fetch.Names) == 0 {
		level, hint := Error, "name what is to be fetched behind the options"
		if !sure {
			level, hint = Warning, "name what is to be fetched behind the options, unless DOPPLER_TOKEN is a service token"
		}
		c.report(RuleNotFetched, level, d.Name, problem.New(
			"the fetch names nothing, and Kamal's adapter "+fetch.Adapter+" fetches nothing then", hint), fetch.Place)
	}
}

// checkLeftOver looks whether all that a definition fetches is taken out of it.
func (c *destinationCheck) checkLeftOver(d *kamal.Definition) {
	for i := range d.Parts {
		if p := &d.Parts[i]; p.Kind == kamal.Fetch && p.Shell == "" {
			c.checkExtracted(d, p)
		}
	}
}

// checkExtracted looks whether all that a fetch gives is taken out of it.
func (c *destinationCheck) checkExtracted(d *kamal.Definition, fetch *kamal.Part) {
	if !fetch.Known || len(fetch.Names) == 0 || fetch.KeysUnknown() {
		return
	}
	taken, any := c.extracted(d)
	if any {
		return
	}
	for _, names := range perField(fetch) {
		if slices.ContainsFunc(names, func(name string) bool { return taken[name] || taken["*/"+name] }) {
			continue
		}
		short := names[len(names)-1]
		level := Error
		if _, other := c.definition(short); other {
			level = Warning // another line gives it its value
		}
		c.report(RuleNotExtracted, level, short, problem.New(
			short+" is fetched into "+d.Name+" but never extracted from it",
			"add "+short+"=$(kamal secrets extract "+short+" $"+d.Name+"), or take it out of the fetch"), fetch.Place)
	}
}

// extracted are the names that something takes out of what a definition fetched.
// any is true where that is not known, or all of it is taken.
func (c *destinationCheck) extracted(fetch *kamal.Definition) (taken map[string]bool, any bool) {
	taken = map[string]bool{}
	for i := range c.index.effective {
		for j := range c.index.effective[i].Parts {
			p := &c.index.effective[i].Parts[j]
			switch {
			case p.Kind == kamal.Extract && p.Source == fetch.Name && p.Name == "",
				p.Kind == kamal.Command && slices.Contains(p.Variables, fetch.Name), // a program of the project's takes it apart
				p.Kind == kamal.PassThrough && p.Name == fetch.Name:
				return nil, true
			case p.Kind == kamal.Extract && p.Source == fetch.Name:
				taken[p.Name], taken["*/"+label(p.Name)] = true, true
			}
		}
	}
	return taken, false
}

// perField are the names that an extract may have for each field of a fetch, the
// longest first.
func perField(fetch *kamal.Part) [][]string {
	var all [][]string
	for _, w := range fetch.Wanted {
		if w.Field != "" {
			all = append(all, extractNames(w))
		}
	}
	if len(fetch.Wanted) == 0 {
		for _, n := range fetch.Names {
			all = append(all, argumentNames(fetch, n))
		}
	}
	return all
}
