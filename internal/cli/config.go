package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/reference"
)

// configCommand is `kamal-op config`: it takes what a deploy takes.
type configCommand struct {
	vaultFlags
	projectFlags
	timeFlags
	ShowJSON bool `name:"json" help:"Print a JSON document."`
}

// A setting is an option with what holds, and where each value comes from.
type setting struct {
	Option string         `json:"option"`
	Values []settingValue `json:"values"`
	Counts bool           `json:"counts"`         // false: it waits for --trust-project-file
	Note   string         `json:"note,omitempty"` // why not
}

// A settingValue is one of them. No secret is in it.
type settingValue struct {
	Value string `json:"value"`
	From  string `json:"from"`
}

// Run shows every option that is given, and where: a flag, an input, the environment,
// the project file. What a review takes beside a deploy is shown, too.
func (c configCommand) Run(a *app, kctx *kong.Context) error {
	var all []setting
	for _, o := range configOptions(Grammar()) {
		if s := a.setting(kctx, o); len(s.Values) > 0 || s.Note != "" {
			all = append(all, s)
		}
	}
	if c.ShowJSON {
		if all == nil {
			all = []setting{}
		}
		e := json.NewEncoder(a.Stdout.JSON())
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	var rows [][]string
	for _, s := range all {
		for i, v := range s.Values {
			name := ""
			if i == 0 {
				name = s.Option
			}
			from := v.From
			if s.Note != "" {
				from += ", " + s.Note
			}
			rows = append(rows, []string{name, cell(v.Value), cell(from)})
		}
		if len(s.Values) == 0 {
			rows = append(rows, []string{s.Option, "", cell(s.Note)})
		}
	}
	text := gate.Table(rows, false, columns(a.Stdout))
	if len(all) == 0 {
		text = "no option is given: what holds are the defaults, see kamal-op help deploy\n"
	}
	return a.report(text)
}

// configOptions are a deploy's options, and those of a review that the file may give.
func configOptions(g reference.Grammar) []reference.Option {
	var all []reference.Option
	for _, c := range g.Commands {
		for _, o := range c.Options {
			known := slices.ContainsFunc(all, func(k reference.Option) bool { return k.Name == o.Name })
			if !known && (c.Name == "deploy" && o.Name != "json" && o.Name != "plain" || o.File != "") {
				all = append(all, o)
			}
		}
	}
	return all
}

// setting is what an option is given as: by the first place that gives it.
func (a *app) setting(kctx *kong.Context, o reference.Option) setting {
	s := setting{Option: o.Name, Values: []settingValue{}, Counts: true}
	add := func(text, from string) {
		s.Values = append(s.Values, settingValue{Value: shownValue(o, strings.TrimSpace(text)), From: from})
	}
	for _, p := range kctx.Path {
		if p.Flag == nil || p.Resolved || p.Flag.Name != o.Name {
			continue
		}
		if len(s.Values) > 0 {
			break // a list has each of its values there already
		}
		switch v := kctx.FlagValue(p.Flag).(type) {
		case lines:
			for _, l := range v {
				add(l.text, l.origin)
			}
		case selection:
			for _, l := range v {
				add(l.text, l.origin)
			}
		default:
			add(fmt.Sprint(v), "--"+o.Name)
		}
	}
	if len(s.Values) > 0 {
		return s
	}
	if v, from, ok := a.lookup.value(o.Name, o.InputName()); ok {
		if o.Kind != reference.List && o.Kind != reference.Selection {
			add(v, from)
			return s
		}
		for _, l := range splitLines(a.lookup.listed(v, from), from) {
			add(l.text, l.origin)
		}
		return s
	}
	for _, l := range a.lookup.file.lines(o.Name) {
		add(l.text, l.origin)
	}
	f := a.lookup.file
	at, there := f.file.Given(o.Name, f.destination)
	switch {
	case !there:
	case mayBeVariable(o.Name) && slices.ContainsFunc(f.lines(o.Name), func(l line) bool { _, is := variableIn(l.text); return is }) && !f.trusted:
		s.Counts, s.Note = false, "env:// counts with --trust-project-file"
	case len(s.Values) == 0:
		s.Note = f.file.Origin(at) + ", an empty list"
	case f.confirmed[o.Name] && !f.trusted:
		s.Counts, s.Note = false, "counts with --trust-project-file"
	}
	return s
}

// cell is a text as a cell of the table: a tab in it would begin the next one.
func cell(text string) string { return strings.ReplaceAll(gate.Visible(text), "\t", `\t`) }

// shownVariable tells whether a text is env:// and the name of a variable: nothing else
// that stands there may be shown.
func shownVariable(text string) bool {
	if !onepassword.IsVariable(text) {
		return false
	}
	_, err := onepassword.ParseVariable(text, "")
	return err == nil
}

// shownValue is a value as it may be shown. What is to be a secret's reference and is
// none may be the secret itself; a variable's value and the password in an address
// stay away, too.
func shownValue(o reference.Option, text string) string {
	switch o.Name {
	case "secret":
		name, ref, named := strings.Cut(text, "=")
		switch {
		case strings.HasPrefix(text, "op://"):
			return text
		case named && shownVariable(ref):
			return text
		case !named || !onepassword.IsEnvironmentName(name):
			return "(no declaration)"
		case !strings.HasPrefix(ref, "op://"):
			return name + "=(no secret reference)"
		}
	case "ssh-key", "ssh-key-passphrase":
		if !strings.HasPrefix(text, "op://") && !shownVariable(text) {
			return "(no secret reference)"
		}
	case "env":
		name, _, _ := strings.Cut(text, "=")
		return name + "=…"
	case "host-keys", "ssh-certificate":
		if onepassword.IsVariable(text) && !shownVariable(text) {
			return "(no secret reference)"
		}
		if strings.Contains(text, "PRIVATE KEY") {
			return "(a private key)"
		}
	case "connect-proxy", "connect-host":
		if u, err := url.Parse(text); err != nil {
			return "(no address)"
		} else if u.User != nil {
			u.User = url.User("…")
			return u.String()
		}
	}
	return text
}
