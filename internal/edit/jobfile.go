package edit

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// readJobs reads a file of another CI system's.
func (w *workflow) readJobs(system string) error {
	if yamlfile.LoneCR(w.text) {
		return w.refuse(0, "end its lines with LF alone, or with CR LF", "%s has a carriage return within a line", w.file)
	}
	root, shared, err := parseWorkflow(w.text)
	if alias, ok := err.(*aliasError); ok { //nolint:errorlint // parseWorkflow wraps none
		return w.refuse(alias.line, strings.ReplaceAll(alias.hint, "GitHub", system), "%s", alias.text)
	}
	if err != nil || root == nil {
		return w.refuse(0, system+" would not take it either", "%s is not YAML", w.file)
	}
	w.root, w.aliases, w.lines = root, shared, strings.SplitAfter(w.text, "\n")
	if last := len(w.lines) - 1; w.lines[last] == "" {
		w.lines = w.lines[:last]
	} else {
		w.lines[last] += w.eol()
	}
	return nil
}

func (w *workflow) eol() string {
	if strings.Contains(w.text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// noJob is a file in which nothing is migrated: it is already, or the reason is told.
func (w *workflow) noJob(system, where string) (string, error) {
	if callsOurs().MatchString(withoutComments(w.text)) {
		w.plan.note("%s calls kamal-op already", w.file)
		return w.text, nil
	}
	if len(w.undecided) > 0 {
		return "", w.refuse(w.undecided[0], "write kamal deploy into a job of its own, where the command stands as it is", "which command of kamal this line runs is not known")
	}
	return "", w.refuse(0, "write kamal deploy into the "+where+" of a job of "+w.file+" first", "%s has no job of %s's whose %s runs kamal deploy", w.file, system, where)
}

// written makes the changes, and looks whether what comes of them is YAML.
func (w *workflow) written(texts []textChange, changes []lineChange) (string, error) {
	w.apply(texts, changes)
	if err := w.anchorsStay(); err != nil {
		return "", err
	}
	text := strings.Join(w.lines, "")
	if _, _, err := parseWorkflow(text); err != nil {
		return "", w.refuse(0, "migrate it by hand", "%s is written in a way that cannot be changed here", w.file)
	}
	return text, nil
}

func (w *workflow) noteAt(e *jobEntry, note string) {
	w.plan.note("%s:%d: %s", w.file, e.line(), note)
}

// spanOf are the lines of a key and its value: blank lines and comments behind the value
// are not its own.
func (w *workflow) spanOf(pair *ast.MappingValueNode) (from, to int) {
	at := pair.Key.GetToken().Position
	from = at.Line - 1
	return from, entryEndOfKey(w.lines, from, at.Column-1)
}

// entryEndOfKey is the line behind a key that stands in a column: a list below it may
// stand in the same one.
func entryEndOfKey(lines []string, from, column int) int {
	to := from + 1
	for i := from + 1; i < len(lines); i++ {
		trimmed := strings.TrimLeft(lines[i], " ")
		in := len(lines[i]) - len(trimmed)
		if strings.TrimSpace(trimmed) == "" || trimmed[0] == '#' && in <= column {
			continue
		}
		if in < column || in == column && !strings.HasPrefix(trimmed, "- ") {
			break
		}
		to = i + 1
	}
	return to
}

// jobHead are the keys that people begin a job with.
var jobHead = []string{"stage", "extends", "<<", "image", "services", "tags", "needs", "docker", "machine", "executor", "resource_class", "working_directory", "parameters"}

// headOf is the line behind those keys of a job.
func (w *workflow) headOf(job *ast.MappingValueNode) int {
	at := job.Key.GetToken().Position.Line
	for _, pair := range yamlfile.Pairs(job.Value) {
		if !slices.Contains(jobHead, pair.Key.GetToken().Value) {
			break
		}
		_, at = w.spanOf(pair)
	}
	return at
}

// linesUnder are the lines that put entries into a mapping of a job's, and where they
// belong.
func (w *workflow) linesUnder(job *ast.MappingValueNode, key string, given []string) ([]string, int, error) {
	pairs := yamlfile.Pairs(job.Value)
	pad := strings.Repeat(" ", pairs[0].Key.GetToken().Position.Column-1)
	step := strings.Repeat(" ", max(2, pairs[0].Key.GetToken().Position.Column-job.Key.GetToken().Position.Column))
	at := w.headOf(job)
	lines := []string{pad + key + ":" + w.eol()}
	for _, pair := range pairs {
		if pair.Key.GetToken().Value != key {
			continue
		}
		inner := yamlfile.Pairs(pair.Value)
		m, mapping := pair.Value.(*ast.MappingNode)
		switch {
		case w.isShared(job.Value, key):
			return nil, 0, w.refuse(pair.Key.GetToken().Position.Line, "write its names out in the job", "%s of the job is an anchor or an alias, which others share", key)
		case len(inner) == 0 || mapping && m.IsFlowStyle:
			return nil, 0, w.refuse(pair.Key.GetToken().Position.Line, "write each of its names in a line of its own", "%s of the job is not written in lines", key)
		}
		_, at = w.spanOf(pair)
		pad, step, lines = strings.Repeat(" ", inner[0].Key.GetToken().Position.Column-1), "", nil
	}
	for _, line := range given {
		lines = append(lines, pad+step+line+w.eol())
	}
	return lines, at, nil
}

// unseen says what a CI system gives to a job that no file shows.
func unseen(ci CI) string {
	if ci == CircleCI {
		return "what the contexts and the project's environment variables give to the job is not seen here: a name of .kamal/secrets may come from there, or from 1Password as a line NAME=op://VAULT/ITEM/NAME of KAMAL_OP_SECRETS"
	}
	return "what the CI/CD variables of the project and its groups give to the job, masked or not, is not seen here: a name of .kamal/secrets may come from there, or from 1Password as a line NAME=op://VAULT/ITEM/NAME of KAMAL_OP_SECRETS"
}

// given are the entries of the environment that kamal-op is given. scopes are the
// mappings that the job takes its environment from, the nearest first.
func (j *shellJob) given(scopes ...ast.Node) ([]string, error) {
	has := map[string]*ast.MappingValueNode{}
	declared := slices.Clone(j.added)
	for _, scope := range scopes {
		for _, pair := range yamlfile.Pairs(scope) {
			name, value := pair.Key.GetToken().Value, scalarText(pair.Value)
			again := has[name] != nil
			if !again {
				has[name] = pair
			}
			if !strings.HasPrefix(value, "op://") || strings.HasPrefix(name, "KAMAL_OP_") || again || !j.isDeclared(workflowStep{from: pair.Key.GetToken().Position.Line - 1}, name, value, j.opRun) {
				continue
			}
			line := name + "=" + value
			if i := slices.IndexFunc(declared, func(other string) bool { return strings.HasPrefix(other, name+"=") }); i >= 0 {
				if declared[i] != line {
					return nil, j.refuse(pair.Key.GetToken().Position.Line, "take out the one that is not meant", "%s has two values: %s and %s", name, declared[i], line)
				}
				continue
			}
			declared = append(declared, line)
		}
	}
	var lines []string
	var err error
	put := func(name string, values ...string) {
		if len(values) == 0 || values[0] == "" || err != nil {
			return
		}
		if has[name] != nil {
			err = j.hasAll(has[name], values)
			return
		}
		if len(values) == 1 && name != "KAMAL_OP_SECRETS" {
			lines = append(lines, name+": "+yamlWord(values[0]))
			return
		}
		lines = append(lines, name+": |")
		for _, value := range values {
			lines = append(lines, "  "+value)
		}
	}
	put("KAMAL_OP_SSH_KEY", strings.Split(j.key, "\n")...)
	if j.hostKeys != "" {
		put("KAMAL_OP_HOST_KEYS", "env://"+j.hostKeys)
	}
	put("KAMAL_OP_SECRETS", declared...)
	j.declared = declared
	j.hasKey = j.key != "" || has["KAMAL_OP_SSH_KEY"] != nil
	return lines, err
}

// hasAll refuses a variable that is there already and lacks a line that it would need.
func (j *shellJob) hasAll(pair *ast.MappingValueNode, values []string) error {
	name := pair.Key.GetToken().Value
	there := strings.Split(scalarText(pair.Value), "\n")
	for i, line := range there {
		there[i] = strings.TrimSpace(line)
	}
	missing := slices.DeleteFunc(slices.Clone(values), func(value string) bool { return slices.Contains(there, value) })
	if len(missing) == 0 {
		return nil
	}
	return j.refuse(pair.Key.GetToken().Position.Line, "write it there, and what gave it out of the job", "%s is there already, and lacks what the job is given beside it: %s", name, strings.Join(missing, ", "))
}

// tell says what of a job is left to a person.
func (j *shellJob) tell(line int) {
	if j.pinned != "" {
		j.notePinned(line, j.pinned)
	}
	if !j.hasKey {
		j.plan.note("%s:%d: the job starts no agent: set KAMAL_OP_SSH_KEY, unless the servers are reached without a key", j.file, line)
	}
	run := ""
	if slices.ContainsFunc(j.entries, func(e *jobEntry) bool { return strings.Contains(e.text, "bundle exec kamal") }) {
		run = "bundle exec"
	}
	j.noteProject(line, j.tree.within(), run)
	if !strings.Contains(j.text, tokenVariable) {
		j.plan.todo(setToken(j.ci, j.vaults()...))
	}
}
