package edit

import (
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A sharedOption is one that a file gives to kamal-op, in its lines.
type sharedOption struct {
	name     string
	from, to int
	text     []string // as the project file has it
	value    string
	stays    string // why it stays where it is, "" where it need not
}

// A giver is a step or a job that gives options to kamal-op.
type giver struct {
	destination string
	given       *ast.MappingValueNode // with:, variables: or environment:; nil for none
	options     []sharedOption
	lines       map[int]bool // those of its options and its variables of kamal-op's
}

// giver is the one step or job that calls kamal-op, with what it gives; nil where all of
// it stays, which is told.
func (s *sharing) giver() *giver {
	root, marks, err := parseWorkflow(s.file.text)
	if err != nil || root == nil {
		return nil // which is told where it is migrated
	}
	s.lines, s.marks = strings.SplitAfter(s.file.text, "\n"), marks
	all := yamlfile.Pairs(root)
	if s.ci != GitLab {
		all = yamlfile.Pairs(yamlfile.Child(root, "jobs"))
	}
	var calling []*ast.MappingValueNode
	for _, job := range all {
		if len(yamlfile.Pairs(job.Value)) > 0 && namesKamal(s.textOf(job, nil)) {
			calling = append(calling, job)
		}
	}
	if len(calling) != 1 {
		s.stays("not one of its jobs names Kamal, but %d", len(calling))
		return nil
	}
	g := giver{lines: map[int]bool{}}
	var why string
	if s.ci == GitHub {
		why = s.steps(&g, calling[0])
	} else {
		why = s.job(&g, calling[0])
	}
	if why = orElse(s.mayHoldForMore(root, calling[0], g), why); why != "" {
		s.stays("%s", why)
		return nil
	}
	return &g
}

// steps is what the step of a job gives that calls kamal-op; why says what keeps it there.
func (s *sharing) steps(g *giver, job *ast.MappingValueNode) (why string) {
	list, _ := yamlfile.Child(job.Value, "steps").(*ast.SequenceNode)
	if list == nil {
		return "its job has no steps"
	}
	for _, v := range list.Values {
		step, marked := s.marks.item(v)
		if !strings.HasPrefix(scalarText(yamlfile.Child(step, "uses")), oneStep) {
			continue
		}
		if marked || s.marks.sharedBy(step) != nil {
			return "the step is an anchor or an alias"
		}
		why = orElse(why, s.step(g, step))
	}
	return why
}

// eventsOf are the events that a workflow runs on.
func eventsOf(on ast.Node) []string {
	var all []string
	for _, pair := range yamlfile.Pairs(on) {
		all = append(all, pair.Key.GetToken().Value)
	}
	if len(all) == 0 {
		all = texts(on)
	}
	return all
}

// step is what one step gives; why says what keeps it there.
func (s *sharing) step(g *giver, step ast.Node) (why string) {
	with := map[string]string{}
	for _, pair := range yamlfile.Pairs(step) {
		if pair.Key.GetToken().Value != "with" {
			continue
		}
		if g.given = pair; s.marks.marks[pair] != "" || inBraces(pair.Value) {
			return "its with: is an anchor, an alias, or written in braces"
		}
		for _, input := range yamlfile.Pairs(pair.Value) {
			name := input.Key.GetToken().Value
			with[name] = scalarText(input.Value)
			if slices.Contains(shareable, name) {
				g.add(s.option(name, name, input))
			}
		}
	}
	g.destination = with["destination"]
	switch command := orElse(with["command"], "deploy"); {
	case !slices.Contains([]string{"deploy", "setup", "redeploy", "rollback"}, command):
		return "the step runs " + command
	case with["config-file"] != "":
		return "the step names a configuration of its own"
	case strings.TrimPrefix(path.Clean("/"+with["working-directory"]), "/") != s.tree.within():
		return "the step runs in another directory: kamal-op migrate there writes its project file"
	case givesDestination().MatchString(with["args"]):
		return "its args name a destination"
	}
	return ""
}

// add takes an option, with its lines.
func (g *giver) add(o sharedOption) {
	g.options = append(g.options, o)
	for line := o.from; line < o.to; line++ {
		g.lines[line] = true
	}
}

// textOf are the lines of a key and its value, as far as they call something, without
// some of them.
func (s *sharing) textOf(pair *ast.MappingValueNode, without map[int]bool) string {
	from := pair.Key.GetToken().Position.Line - 1
	return s.text(from, endOfValue(s.lines, pair), without)
}

// text are the lines from one to before another, as far as they call something.
func (s *sharing) text(from, to int, without map[int]bool) string {
	var b strings.Builder
	for line := from; line < to; line++ {
		if !without[line] {
			b.WriteString(s.lines[line])
		}
	}
	return calling(b.String())
}

// job is what one job of GitLab's or CircleCI's gives; why says what keeps it there.
func (s *sharing) job(g *giver, job *ast.MappingValueNode) (why string) {
	key := "variables"
	if s.ci == CircleCI {
		key = "environment"
	}
	named, known := calledFor(s.textOf(job, nil))
	given := map[string]string{}
	for _, pair := range yamlfile.Pairs(job.Value) {
		if pair.Key.GetToken().Value != key {
			continue
		}
		if g.given = pair; s.marks.marks[pair] != "" || inBraces(pair.Value) {
			return "its " + key + ": is an anchor, an alias, or written in braces"
		}
		for _, v := range yamlfile.Pairs(pair.Value) {
			name := v.Key.GetToken().Value
			given[name] = scalarText(v.Value)
			own, ok := strings.CutPrefix(name, "KAMAL_OP_")
			if !ok {
				continue
			}
			option := strings.ToLower(strings.ReplaceAll(own, "_", "-"))
			if slices.Contains(shareable, option) {
				g.add(s.option(option, name, v))
			} else if given[name] != "" {
				g.lines[v.Key.GetToken().Position.Line-1] = true
			}
		}
	}
	g.destination = orElse(named, given["KAMAL_OP_DESTINATION"]) // the flag counts before the variable
	if !known {
		return "which destination it deploys cannot be read here"
	}
	return s.jobStays(job, s.textOf(job, nil), given)
}

// jobStays says what keeps a job's options where they are, "" where nothing does.
func (s *sharing) jobStays(job *ast.MappingValueNode, text string, given map[string]string) string {
	switch {
	case strings.HasPrefix(job.Key.GetToken().Value, ".") || s.marks.marks[job] != "" || s.marks.sharedBy(job) != nil:
		return "other jobs have what this one runs"
	case ownConfig().MatchString(text):
		return "it names a configuration of its own"
	case changesPlace().MatchString(text), given["KAMAL_OP_WORKING_DIRECTORY"] != s.tree.within():
		return "it runs in another directory: kamal-op migrate there writes its project file"
	}
	return ""
}

// option is one as the project file has it: its lines, from the column of its key.
func (s *sharing) option(name, key string, pair *ast.MappingValueNode) sharedOption {
	at := pair.Key.GetToken().Position
	o := sharedOption{name: name, value: scalarText(pair.Value), from: at.Line - 1, to: entryEndOfKey(s.lines, at.Line-1, at.Column-1)}
	for i, line := range s.lines[o.from:o.to] {
		line = strings.TrimRight(line, "\r\n")
		line = line[min(at.Column-1, len(line)):]
		if i == 0 {
			rest, ok := strings.CutPrefix(line, key)
			if !ok {
				o.stays = "its name is in quotes"
			}
			line = name + rest
		}
		o.text = append(o.text, line)
	}
	whole := strings.Join(o.text, "\n")
	switch {
	case s.marks.marks[pair] != "":
		o.stays = "it is an anchor or an alias"
	case strings.Contains(whole, "env://"):
		o.stays = "what comes out of the job's environment counts from the project file only with --trust-project-file"
	case strings.ContainsAny(whole, "$"), strings.Contains(whole, "<<"):
		o.stays = "the CI system puts a value into it"
	}
	return o
}
