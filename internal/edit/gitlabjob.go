package edit

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// gitlabWords are keys at the top of a .gitlab-ci.yml that are no jobs.
var gitlabWords = []string{"default", "include", "stages", "types", "variables", "workflow", "spec", "image", "services", "before_script", "after_script", "cache", "<<"}

// A gitlabJob is one job, or a hidden one that others extend; the defaults are one too.
type gitlabJob struct {
	name    string
	pair    *ast.MappingValueNode // nil where it stands in another file
	node    ast.Node
	parents []*gitlabJob // the nearest first
	merged  bool         // one of the parents is merged in by <<
	unknown string       // a parent that no file here has
}

func (g *gitlabJob) hidden() bool { return strings.HasPrefix(g.name, ".") }

// owner is the job that has what a job takes for a key: itself, or what it extends.
func (g *gitlabJob) owner(key string) *gitlabJob { return g.ownerWithin(key, 0) }

// maxExtends is GitLab's own limit, and one below it.
const maxExtends = 12

func (g *gitlabJob) ownerWithin(key string, depth int) *gitlabJob {
	if yamlfile.Child(g.node, key) != nil {
		return g
	}
	if depth > maxExtends {
		return nil
	}
	for _, parent := range g.parents {
		if owner := parent.ownerWithin(key, depth+1); owner != nil {
			return owner
		}
	}
	return nil
}

// unknownParent is a job that it extends and no file here has.
func (g *gitlabJob) unknownParent(depth int) string {
	if g.unknown != "" || depth > maxExtends {
		return g.unknown
	}
	for _, parent := range g.parents {
		if name := parent.unknownParent(depth + 1); name != "" {
			return name
		}
	}
	return ""
}

// gitlabJobs are the jobs of a file and of those that it includes, by their names.
type gitlabJobs struct {
	all      []*gitlabJob // of the file itself, in its order
	byName   map[string]*gitlabJob
	defaults []*gitlabJob // default:, then the file as a whole
	includes bool         // something that is not read here
}

// takes is the job that has what a job takes for a key, from what it extends or from the
// defaults; nil where nothing has it.
func (all *gitlabJobs) takes(g *gitlabJob, key string) *gitlabJob {
	if owner := g.owner(key); owner != nil {
		return owner
	}
	if inherit := yamlfile.Child(yamlfile.Child(g.node, "inherit"), "default"); inherit != nil && scalarText(inherit) == "false" {
		return nil
	}
	for _, d := range all.defaults {
		if yamlfile.Child(d.node, key) != nil {
			return d
		}
	}
	return nil
}

// takers are the jobs that run and take a key from an owner.
func (all *gitlabJobs) takers(owner *gitlabJob, key string) []*gitlabJob {
	return slices.DeleteFunc(slices.Clone(all.all), func(g *gitlabJob) bool { return g.hidden() || all.takes(g, key) != owner })
}

// readGitlab reads the jobs of a file; more are the files that it includes, and those
// that include it.
func (w *workflow) readGitlab(more []ast.Node, includes bool) *gitlabJobs {
	all := &gitlabJobs{byName: map[string]*gitlabJob{}, includes: includes}
	var others []*gitlabJob // default: of other files; the file's own comes first
	for _, root := range more {
		for _, pair := range yamlfile.Pairs(root) {
			all.byName[pair.Key.GetToken().Value] = &gitlabJob{name: pair.Key.GetToken().Value, node: pair.Value}
		}
		if d := yamlfile.Child(root, "default"); d != nil {
			others = append(others, &gitlabJob{name: "default", node: d})
		}
	}
	for _, pair := range yamlfile.Pairs(w.root) {
		name := pair.Key.GetToken().Value
		g := &gitlabJob{name: name, pair: pair, node: pair.Value}
		if name == "default" {
			all.defaults = append(all.defaults, g)
		}
		if slices.Contains(gitlabWords, name) || len(yamlfile.Pairs(pair.Value)) == 0 {
			continue
		}
		all.all = append(all.all, g)
		all.byName[name] = g
	}
	all.defaults = append(append(all.defaults, others...), &gitlabJob{name: "the file", node: w.root})
	for _, g := range all.byName {
		w.parentsOf(all, g)
	}
	return all
}

// parentsOf finds what a job extends, and what is merged into it.
func (w *workflow) parentsOf(all *gitlabJobs, g *gitlabJob) {
	for _, pair := range yamlfile.Pairs(g.node) {
		switch pair.Key.GetToken().Value {
		case "<<":
			merged := []ast.Node{pair.Value}
			if list, ok := pair.Value.(*ast.SequenceNode); ok {
				merged = list.Values
			}
			for _, n := range merged {
				if of := w.marked(n); of != nil {
					g.merged = true
					g.parents = append(g.parents, all.of(of))
				}
			}
		case "extends":
			for _, name := range slices.Backward(texts(pair.Value)) {
				if parent := all.byName[name]; parent != nil {
					g.parents = append(g.parents, parent)
				} else {
					g.unknown = name
				}
			}
		}
	}
}

// of is the job whose mapping a node is; one without a name where none has it.
func (all *gitlabJobs) of(n ast.Node) *gitlabJob {
	for _, g := range all.all {
		if g.node == n {
			return g
		}
	}
	return &gitlabJob{name: ".", node: n}
}

// marked is what an alias stands for.
func (a *aliases) marked(n ast.Node) ast.Node {
	alias, ok := n.(*ast.AliasNode)
	if !ok {
		return n
	}
	name := alias.Value.GetToken().Value
	for _, at := range slices.Backward(a.anchors) {
		if at.name == name && at.line < alias.Start.Position.Line {
			return at.value
		}
	}
	return nil
}

// texts are the scalars of a node: one, or those of a list.
func texts(n ast.Node) []string {
	if list, ok := n.(*ast.SequenceNode); ok {
		var all []string
		for _, v := range list.Values {
			all = append(all, scalarText(v))
		}
		return all
	}
	if n == nil {
		return nil
	}
	return []string{scalarText(n)}
}

// entriesOf are the commands that a job's key has, as script: and before_script:.
func (w *workflow) entriesOf(all *gitlabJobs, g *gitlabJob, key string) []*jobEntry {
	if g == nil {
		return nil
	}
	var pair *ast.MappingValueNode
	for _, p := range yamlfile.Pairs(g.node) {
		if p.Key.GetToken().Value == key {
			pair = p
		}
	}
	at := pair.Key.GetToken().Position.Line - 1
	elsewhere := g.pair == nil && g.node != w.root || w.isAlias(g.node, key)
	list, ok := pair.Value.(*ast.SequenceNode)
	switch {
	case elsewhere:
		return []*jobEntry{{text: w.textOf(all, pair.Value, 0), script: parseCommands(w.textOf(all, pair.Value, 0)), fixed: true, from: at, to: at + 1, first: -1}}
	case !ok:
		e := newEntry(w.lines, pair.Value, at, endOfValue(w.lines, pair))
		return []*jobEntry{e}
	}
	var entries []*jobEntry
	for i, v := range list.Values {
		item, marked := w.item(v)
		from := v.GetToken().Position.Line - 1
		end := endOfValue(w.lines, pair)
		if i+1 < len(list.Values) {
			end = list.Values[i+1].GetToken().Position.Line - 1
		}
		to := from + 1
		if !list.IsFlowStyle {
			to = entryEnd(w.lines, from, list.Start.Position.Column-1, end)
		}
		_, reference := item.(*ast.TagNode)
		_, nested := item.(*ast.SequenceNode)
		_, alias := v.(*ast.AliasNode)
		var e *jobEntry
		if reference || nested || alias {
			text := w.textOf(all, item, 0)
			e = &jobEntry{text: text, script: parseCommands(text), fixed: true, from: from, to: to, first: -1}
		} else {
			e = newEntry(w.lines, item, from, to)
			e.fixed = marked && alias
		}
		e.whole = !list.IsFlowStyle
		entries = append(entries, e)
	}
	return entries
}

// textOf is what a node comes to as commands: a list, a list of lists, a !reference.
func (w *workflow) textOf(all *gitlabJobs, n ast.Node, depth int) string {
	if depth > maxExtends {
		return ""
	}
	n, _ = w.item(n)
	switch n := n.(type) {
	case *ast.SequenceNode:
		var lines []string
		for _, v := range n.Values {
			lines = append(lines, strings.TrimRight(w.textOf(all, v, depth+1), "\n"))
		}
		return strings.Join(lines, "\n")
	case *ast.TagNode:
		names := texts(n.Value)
		if len(names) != 2 || all.byName[names[0]] == nil {
			return unreadReference
		}
		of := all.byName[names[0]].owner(names[1])
		if of == nil {
			return unreadReference
		}
		return w.textOf(all, yamlfile.Child(of.node, names[1]), depth+1)
	case nil:
		return ""
	}
	return scalarText(n)
}

// unreadReference stands for what a !reference takes from a file that is not read here.
const unreadReference = "a-reference-to-another-file"
