package edit

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

// openWorkflows reads the workflows, and the files of other CI systems, that declare
// secrets to kamal-op: lines NAME=op://Vault/Item/field or NAME=env://VARIABLE, in the input secrets of its
// step, in a variable or an entry of a list. Where they stand,
// the declaration is one of the places a secret must be named in.
func (e *editor) openWorkflows() error {
	for _, name := range slices.Concat(e.tree.workflowNames(), e.tree.pipelineNames()) {
		f, err := e.tree.read(name)
		if err != nil {
			return err
		}
		if !f.opaque && strings.Contains(f.text, "kamal-op") && len(declarations(f.text))+len(inlineDeclarations(f.text)) > 0 {
			e.files = append(e.files, f)
		}
	}
	return nil
}

// workflows are those that declare secrets.
func (e *editor) workflows() []*workFile {
	return slices.DeleteFunc(slices.Clone(e.files), func(f *workFile) bool {
		return f.secrets != nil || f.config != nil || f.name == reviewConfig || f.name == projectfile.Name
	})
}

// allWorkflows are all that the repository has.
func (e *editor) allWorkflows() []*workFile {
	all := e.workflows()
	for _, name := range e.tree.workflowNames() {
		if e.file(name) != nil {
			continue
		}
		if f, err := e.tree.read(name); err == nil && !f.opaque {
			all = append(all, f)
		}
	}
	return all
}

// A declaredLine is one line NAME=op://… or NAME=env://… of a workflow, by its offsets.
type declaredLine struct {
	name, reference  string
	from, at, to, in int    // line, name, end of the line; indentation
	entry            string // what stands between indentation and name: "- " in a list
}

// loaded tells whether an earlier step loads the value: there is no field of it that is
// known here.
func (l declaredLine) loaded() bool { return onepassword.IsVariable(l.reference) }

// declarations are the lines of a workflow that declare a secret.
func declarations(text string) []declaredLine {
	var all []declaredLine
	from := 0
	for line := range strings.Lines(text) {
		to := from + len(line)
		trimmed := strings.TrimLeft(line, " ")
		in := len(line) - len(trimmed)
		entry := trimmed[:len(trimmed)-len(strings.TrimLeft(strings.TrimPrefix(trimmed, "- "), " "))]
		trimmed = trimmed[len(entry):]
		name, reference, ok := strings.Cut(strings.TrimRight(trimmed, " \t\r\n"), "=")
		if ok && in > 0 && onepassword.IsEnvironmentName(name) && (strings.HasPrefix(reference, "op://") || onepassword.IsVariable(reference)) {
			all = append(all, declaredLine{name, reference, from, from + in + len(entry), to, in, entry})
		}
		from = to
	}
	return all
}

// declare adds a declaration behind the last of every workflow that has some for a
// destination, and of the project file's, for the item of that one unless ref names
// another; without any it is left to a person.
func (e *editor) declare(d, name string, ref onepassword.Reference) error {
	found, err := e.declareInProject(d, name, ref)
	if err != nil {
		return err
	}
	for _, f := range e.workflows() {
		found = e.declareIn(f, d, name, ref) || found
	}
	if found {
		return nil
	}
	reference := "op://VAULT/ITEM/" + name
	if ref.Vault != "" {
		reference = referenceFor(name, ref)
		e.needReference(reference)
	}
	e.plan.todo(Todo{
		Do: "declare", Reference: reference,
		Text: "declare " + name + "=" + reference + " to kamal-op (input secrets, flag --secret): the secrets file passes on what is declared",
	})
	return nil
}

// dropFromEnv leaves to a person to take a name that is declared now out of the
// environment of a workflow that gives it GitHub's secret.
func (e *editor) dropFromEnv(name string) {
	given := regexp.MustCompile(`(?m)^\s+` + regexp.QuoteMeta(name) + `:\s*["']?\$\{\{\s*secrets\.`)
	for _, f := range e.allWorkflows() {
		if strings.Contains(f.text, oneStep) && given.MatchString(f.text) {
			e.plan.todo(Todo{Do: "remove-env", Text: "take " + name + " out of env: in " + f.name + ": it has GitHub's secret there, and is declared to kamal-op in its place"})
		}
	}
}

// besides is where a name comes from that is declared behind these: the item of the
// last, and where all of them are loaded by an earlier step, that step.
func besides(lines []declaredLine, name string) string {
	for _, l := range slices.Backward(lines) {
		if l.loaded() {
			continue
		}
		if parts := strings.Split(l.reference, "/"); len(parts) < 5 { // op://Vault/Item alone
			return l.reference + "/" + name
		}
		return l.reference[:strings.LastIndexByte(l.reference, '/')+1] + name
	}
	return onepassword.VariableText(name)
}

func (e *editor) needReference(text string) {
	if ref, err := onepassword.ParseReference(text); err == nil && ref.Field != "" {
		e.needField(ref.Vault, ref.Item, strings.Trim(ref.Section+"/"+ref.Field, "/"))
	}
}

// undeclare takes the declarations of a name out.
func (e *editor) undeclare(name string) {
	for _, f := range e.workflows() {
		for _, l := range slices.Backward(declarations(f.text)) {
			if l.name != name {
				continue
			}
			from, to := l.from, l.to
			if to == len(f.text) && !strings.HasSuffix(f.text, "\n") {
				from = len(strings.TrimSuffix(strings.TrimSuffix(f.text[:from], "\n"), "\r"))
			}
			e.freeReference(l.reference)
			f.text = f.text[:from] + f.text[to:]
		}
	}
}

// redeclare gives the declarations of a name another, and their field where it
// has the name.
func (e *editor) redeclare(from, to string) {
	for _, f := range e.workflows() {
		for _, l := range slices.Backward(declarations(f.text)) {
			if l.name != from || !slices.ContainsFunc(e.destinations, func(d string) bool { return !e.forOthers(f, l, d) }) {
				continue
			}
			line := f.text[l.at:l.to]
			line = to + strings.TrimPrefix(line, from)
			if rest, ok := strings.CutSuffix(l.reference, "/"+from); ok && !l.loaded() {
				line = strings.Replace(line, l.reference, rest+"/"+to, 1)
				e.renameField(l.reference, to)
			}
			f.text = f.text[:l.at] + line + f.text[l.to:]
		}
	}
}
