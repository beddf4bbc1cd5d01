package cli

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// A lookup finds an option's value where it was not given as a flag: in what the CI
// system hands over, then in the environment. The same name serves in all forms:
// --ssh-key, the input or setting ssh-key (which a runner hands over as
// INPUT_SSH-KEY, a plugin's as PLUGIN_SSH_KEY), KAMAL_OP_SSH_KEY. An empty input is
// one that was not given: the runner sets every declared input, with "" where the
// workflow says nothing.
type lookup struct {
	env  map[string]string
	form form
	file projectOptions // comes last
}

// A form is how the CI system hands over the options of a step.
type form int

const (
	noForm   form = iota // by command line and environment alone
	inputs               // of an action
	settings             // of a plugin
)

// variable is the environment variable in which an option is handed over, "" where
// none is.
func (f form) variable(name string) string {
	switch f {
	case inputs:
		return inputName(name)
	case settings:
		return settingName(name)
	}
	return ""
}

// String is what a person calls an option that is handed over so.
func (f form) String() string { return [...]string{"option", "input", "setting"}[f] }

// value is the value of the option with these names, and where it was found, as
// a person would call that place. An input or setting under any of the names comes
// before the environment under any of them.
func (l lookup) value(names ...string) (value, origin string, found bool) {
	for _, name := range names {
		if v := l.env[l.form.variable(name)]; l.form != noForm && strings.TrimSpace(v) != "" {
			return v, l.form.String() + " " + name, true
		}
	}
	for _, name := range names {
		if v := l.env[envName(name)]; v != "" {
			return v, envName(name), true
		}
	}
	return "", "", false
}

// inputName is the environment variable in which GitHub's runner hands over an
// input: spaces become underscores, hyphens stay (actions/runner,
// ContainerActionHandler).
func inputName(name string) string {
	return "INPUT_" + strings.ToUpper(strings.ReplaceAll(name, " ", "_"))
}

// envName is the environment variable of an option.
func envName(name string) string {
	return "KAMAL_OP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// Validate is part of kong.Resolver.
func (lookup) Validate(*kong.Application) error { return nil }

// Resolve gives kong the value of a flag that was not on the command line. A
// flag's aliases are its other names: --secret is the input secrets, since a
// list reads better so.
func (l lookup) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" {
		return nil, nil
	}
	v, origin, ok := l.value(append([]string{flag.Name}, flag.Aliases...)...)
	if !ok {
		var given []line
		if flag.Tag.Has("file") { // another command's may have this name there
			given = l.file.values(flag.Name)
		}
		if len(given) == 0 {
			return nil, nil
		}
		if isList(flag) {
			return fileLines{given}, nil
		}
		return given[0].text, nil
	}
	if isList(flag) {
		return originText{text: l.listed(v, origin), origin: origin}, nil
	}
	return strings.TrimSpace(v), nil
}

// isList says whether an option may have several values.
func isList(flag *kong.Flag) bool {
	switch flag.Target.Interface().(type) {
	case lines, selection:
		return true
	}
	return false
}

// listed is a list's text as it was handed over, one value a line.
func (l lookup) listed(text, origin string) string {
	if listed, ok := jsonLines(text); ok {
		return listed
	}
	if l.form == settings && strings.HasPrefix(origin, settings.String()) {
		return settingLines(text)
	}
	return text
}

// A line is one value of a list and where it came from.
type line struct {
	text   string
	origin string // "--secret", "input secrets, line 3", "KAMAL_OP_SECRET, line 1"
}

// lines is an option that may be given several times: as a flag once for each
// value, as an input or in the environment one a line, where empty lines and
// those that begin with # count for nothing.
type lines []line

// originText is a list's text as a lookup found it.
type originText struct{ text, origin string }

// fileLines is a list as the project file has it.
type fileLines struct{ list []line }

// Decode is part of kong.MapperValue.
func (l *lines) Decode(ctx *kong.DecodeContext) error {
	token, err := ctx.Scan.PopValue("value")
	if err != nil {
		return err
	}
	switch v := token.Value.(type) {
	case fileLines:
		*l = append(*l, v.list...)
	case originText:
		*l = append(*l, splitLines(v.text, v.origin)...)
	default:
		*l = append(*l, line{text: token.String(), origin: "--" + ctx.Value.Name})
	}
	return nil
}

// jsonLines is a list, one a line, out of JSON, which some CI systems make of lists
// and mappings: ["A=op://…"], {"A":"op://…"}. ok is false where the text is none.
func jsonLines(text string) (list string, ok bool) {
	var object map[string]string
	var all []string
	switch text = strings.TrimSpace(text); {
	case strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &object) == nil:
		for _, name := range slices.Sorted(maps.Keys(object)) {
			all = append(all, name+"="+object[name])
		}
	case !strings.HasPrefix(text, "[") || json.Unmarshal([]byte(text), &all) != nil:
		return "", false
	}
	return strings.Join(all, "\n"), true
}

// texts are the values alone.
func (l lines) texts() []string {
	texts := make([]string, len(l))
	for i, v := range l {
		texts[i] = v.text
	}
	return texts
}

// splitLines takes a list's text apart. Lines may end in CR LF: workflows are
// edited on Windows too.
func splitLines(text, origin string) []line {
	var out []line
	for i, s := range strings.Split(text, "\n") {
		s = strings.TrimSpace(s)
		if s == "" || strings.HasPrefix(s, "#") {
			continue
		}
		out = append(out, line{text: s, origin: origin + ", line " + strconv.Itoa(i+1)})
	}
	return out
}

// names are the options whose values are names, separated by commas or blanks as
// well as by lines.
func (l lines) names() []string {
	var out []string
	for _, v := range l {
		out = append(out, strings.FieldsFunc(v.text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })...)
	}
	return out
}
