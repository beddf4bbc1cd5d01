package edit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// A workflowStep is what matters of one step.
type workflowStep struct {
	ID, Uses, Run    string
	WorkingDirectory string `yaml:"working-directory"`
	With, Env        map[string]any

	node     *ast.MappingNode
	from, to int  // lines, counted from 0; to is behind the last
	flow     bool // written in braces: it stays as it is
}

// load notes what a step loads from 1Password.
func (w *workflow) load(s workflowStep) {
	export := fmt.Sprint(s.With["export-env"]) != "false"
	for _, name := range sortedKeys(s.Env) {
		value := fmt.Sprint(s.Env[name])
		switch {
		case name == "OP_SERVICE_ACCOUNT_TOKEN":
			w.token = value
		case strings.HasPrefix(value, "op://"):
			w.loaded[s.ID+"."+name] = value
			if export {
				w.loaded[name] = value
			}
		}
	}
}

// sshKey finds the reference of the key that an agent is started with.
func (w *workflow) sshKey(s workflowStep) error {
	value := fmt.Sprint(s.With["ssh-private-key"])
	if m := outputOf().FindStringSubmatch(value); m != nil {
		w.key = w.loaded[m[1]+"."+m[2]]
		delete(w.loaded, m[1]+"."+m[2])
	} else if m := variable().FindStringSubmatch(value); m != nil {
		w.key = w.loaded[m[1]]
		delete(w.loaded, m[1])
	}
	if w.key == "" && w.o.SSHKey == "" {
		return w.refuse(s.from+1, "put the key into 1Password, and name it: --ssh-key op://Vault/Server",
			"the SSH key %s", origin(value))
	}
	return nil
}

// origin is where a value comes from, in words. A value that stands in the
// workflow itself is not told.
func origin(value string) string {
	if expression().MatchString(value) {
		return "comes from " + strings.TrimSpace(value) + ", not from 1Password"
	}
	return "is written in the workflow: it is in the repository's history"
}

// step is the one step, in the lines of the one that ran kamal: what it has
// beside its script stays.
func (w *workflow) step(s workflowStep) ([]string, error) {
	script := strings.TrimSpace(s.Run)
	m := kamalLine().FindStringSubmatch(script)
	if m == nil || m[0] != script {
		return nil, w.refuse(s.from+1, "give kamal a step of its own first", "the step that runs kamal runs more than that")
	}
	var run *ast.MappingValueNode
	var drop []*ast.MappingValueNode
	for _, v := range s.node.Values {
		switch v.Key.String() {
		case "run":
			run = v
		case "shell", "working-directory":
			drop = append(drop, v)
		case "env":
			// Looked at below.
		}
	}
	at := run.Key.GetToken().Position
	pad := strings.Repeat(" ", at.Column-1)
	eol := "\n"
	if strings.Contains(w.text, "\r\n") {
		eol = "\r\n"
	}
	with := []string{"service-account-token: " + strings.TrimSpace(w.token)}
	if m[1] != "deploy" {
		with = append([]string{"command: " + m[1]}, with...)
	}
	if w.key != "" {
		with = append(with, "ssh-key: "+yamlWord(w.key))
	} else {
		w.plan.note("%s starts no agent: add the input ssh-key, unless the servers are reached without a key", w.file)
	}
	args := strings.Fields(m[2])
	for i := 0; i < len(args); i++ {
		if args[i] == "-d" || args[i] == "--destination" {
			if i+1 < len(args) {
				with = append(with, "destination: "+yamlWord(args[i+1]))
				args = slices.Delete(args, i, i+2)
			}
			break
		}
		if d, ok := strings.CutPrefix(args[i], "--destination="); ok {
			with = append(with, "destination: "+yamlWord(d))
			args = slices.Delete(args, i, i+1)
			break
		}
	}
	if len(args) > 0 {
		with = append(with, "args: "+yamlWord(strings.Join(args, " ")))
	}
	if s.WorkingDirectory != "" {
		with = append(with, "working-directory: "+yamlWord(s.WorkingDirectory))
	}
	removed := w.declare(s)
	if len(w.declared) > 0 {
		with = append(with, "secrets: |")
		for _, line := range w.declared {
			with = append(with, "  "+line)
		}
	}
	lines := slices.Clone(w.lines[s.from:s.to])
	cut := func(v *ast.MappingValueNode) (from, to int) {
		from = v.Key.GetToken().Position.Line - 1 - s.from
		to = from + 1
		for to < len(lines) && !beginsKey(s.node, to+s.from) {
			to++
		}
		return from, to
	}
	type change struct {
		from, to int
		text     []string
	}
	var changes []change
	from, to := cut(run)
	head := lines[from][:min(at.Column-1, len(lines[from]))] // with the dash, where it is the first key
	text := []string{head + "uses: kamal-op/kamal-op@v1" + eol, pad + "with:" + eol}
	for _, line := range with {
		text = append(text, pad+"  "+line+eol)
	}
	changes = append(changes, change{from, to, text})
	for _, v := range drop {
		from, to := cut(v)
		if from == 0 {
			return nil, w.refuse(s.from+1, "write run: first", "the step that runs kamal begins with %s", v.Key)
		}
		changes = append(changes, change{from, to, nil})
	}
	if env := child(s.node, "env"); env != nil && len(removed) > 0 {
		for _, v := range s.node.Values {
			if v.Key.String() != "env" {
				continue
			}
			from, to := cut(v)
			kept := slices.DeleteFunc(slices.Clone(lines[from+1:to]), func(line string) bool {
				name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
				return slices.Contains(removed, name)
			})
			if len(kept) == 0 && from > 0 {
				changes = append(changes, change{from, to, nil})
			} else {
				changes = append(changes, change{from + 1, to, kept})
			}
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return b.from - a.from })
	for _, c := range changes {
		lines = slices.Replace(lines, c.from, c.to, c.text...)
	}
	return lines, nil
}

// declare collects what the step gets from 1Password: names that were exported,
// and those that its env takes from the loading step. It gives the names in env
// that are declared now.
func (w *workflow) declare(s workflowStep) (removed []string) {
	add := func(name, reference string) {
		if line := name + "=" + reference; !slices.Contains(w.declared, line) {
			w.declared = append(w.declared, line)
		}
	}
	for _, name := range sortedKeys(s.Env) {
		value := fmt.Sprint(s.Env[name])
		reference := ""
		if m := outputOf().FindStringSubmatch(value); m != nil {
			reference = w.loaded[m[1]+"."+m[2]]
		} else if m := variable().FindStringSubmatch(value); m != nil {
			reference = w.loaded[m[1]]
		}
		switch {
		case name == "OP_SERVICE_ACCOUNT_TOKEN":
			removed = append(removed, name)
		case reference != "":
			add(name, reference)
			removed = append(removed, name)
		case strings.Contains(value, "secrets."):
			w.plan.note("%s: %s comes from GitHub's secrets still: kamal-op add can move it to 1Password", w.file, name)
		}
	}
	for _, name := range sortedKeys(w.loaded) {
		if !strings.Contains(name, ".") && w.loaded[name] != w.key {
			add(name, w.loaded[name])
		}
	}
	return removed
}

// stepsOf are the steps of a job with their lines: what is blank or a comment in
// front of a step belongs to none.
func (w *workflow) stepsOf(job ast.Node) ([]workflowStep, error) {
	list, ok := child(job, "steps").(*ast.SequenceNode)
	if !ok || list.IsFlowStyle {
		return nil, nil
	}
	var steps []workflowStep
	for i, v := range list.Values {
		n, ok := v.(*ast.MappingNode)
		if !ok || len(n.Values) == 0 {
			continue
		}
		s := workflowStep{node: n, flow: n.IsFlowStyle, from: n.Values[0].Key.GetToken().Position.Line - 1}
		if err := yaml.NodeToValue(n, &s); err != nil {
			return nil, w.refuse(s.from+1, "GitHub would not take it either", "a step of %s cannot be read", w.file)
		}
		end := len(w.lines)
		if i+1 < len(list.Values) {
			end = list.Values[i+1].GetToken().Position.Line - 1
			if next, ok := list.Values[i+1].(*ast.MappingNode); ok && len(next.Values) > 0 {
				end = next.Values[0].Key.GetToken().Position.Line - 1
			}
		}
		dash := list.Start.Position.Column - 1
		s.to = s.from + 1
		for line := s.from + 1; line < end; line++ {
			trimmed := strings.TrimLeft(w.lines[line], " ")
			if strings.TrimSpace(trimmed) == "" || trimmed[0] == '#' && len(w.lines[line])-len(trimmed) <= dash {
				continue
			}
			if len(w.lines[line])-len(trimmed) <= dash {
				break
			}
			s.to = line + 1
		}
		steps = append(steps, s)
	}
	return steps, nil
}
