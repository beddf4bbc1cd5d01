package edit

import (
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// shell is what a job's shell runs, and changes the script where no other job has done
// so. Jobs that have a script in common have one text of it, and one set of variables:
// what comes of their before_script has to be the same.
func (m *gitlabMigration) shell(g, owner, before *gitlabJob, own []*jobEntry) (*shellJob, error) {
	shell, err := newShellJob(m.workflow, GitLab, slices.Concat(m.entriesOf(m.jobs, before, "before_script"), own))
	if err != nil {
		return nil, err
	}
	changed := false
	for owners, other := range m.done {
		if owners.script != owner {
			continue
		}
		if !shell.gives(other) || !slices.Equal(fatesOf(own), fatesOf(other.entries[len(other.entries)-len(own):])) {
			return nil, m.refuse(g.pair.Key.GetToken().Position.Line, "write the script into each of them",
				"the job %s has its script from %s, as others have, and another before_script, which gives it other values", g.name, owner.name)
		}
		changed = true
	}
	m.done[shellOwners{owner, before}] = shell
	if changed {
		return shell, nil
	}
	for _, e := range own {
		if err := m.entry(shell, e); err != nil {
			return nil, err
		}
	}
	if err := m.variables(shell, owner, g); err != nil {
		return nil, err
	}
	m.tell(shell, g)
	return shell, nil
}

// gives tells whether kamal-op is given the same by both.
func (j *shellJob) gives(other *shellJob) bool {
	return slices.Equal(j.added, other.added) && j.hostKeys == other.hostKeys && j.key == other.key && j.opRun == other.opRun
}

func fatesOf(entries []*jobEntry) (all []fate) {
	for _, e := range entries {
		all = append(all, e.fates...)
	}
	return all
}

// before changes what runs before the script: in its own place where nothing else has
// it, and otherwise with an empty list in the job.
func (m *gitlabMigration) before(j *shellJob, g, owner *gitlabJob, count int) error {
	entries := j.entries[:count]
	all, some := true, false
	for _, e := range entries {
		whole, part := e.goes()
		all, some = all && whole, some || part
	}
	calls := slices.ContainsFunc(entries, func(e *jobEntry) bool { return e.script.deploys() })
	if owner == nil {
		return nil
	}
	fates := fatesOf(entries)
	if known, ok := m.befores[owner]; ok && !slices.Equal(known, fates) {
		return m.refuse(g.pair.Key.GetToken().Position.Line, "give the job before_script of its own", "not the same of before_script of %s goes for %s as for another job", owner.name, g.name)
	}
	_, done := m.befores[owner]
	m.befores[owner] = fates
	if !some && !calls || done && m.alone(g, owner) {
		return nil
	}
	if !m.alone(g, owner) {
		if !all {
			return m.refuse(g.pair.Key.GetToken().Position.Line, "give the job before_script of its own, with what it needs beside Kamal", "before_script of %s, which other jobs have too, has more than what kamal-op does now", owner.name)
		}
		return m.put(g, "before_script: []")
	}
	if all && m.jobs.inherits(owner) {
		return m.replace(owner, "before_script", "before_script: []")
	}
	if all {
		return m.replace(owner, "before_script", "")
	}
	for _, e := range entries {
		if err := m.entry(j, e); err != nil {
			return err
		}
	}
	return nil
}

// alone tells whether nothing but deploys takes the owner's before_script, which can be
// changed there.
func (m *gitlabMigration) alone(g, owner *gitlabJob) bool {
	return owner.pair != nil && owner.name != "default" && !slices.ContainsFunc(m.jobs.takers(owner, "before_script"), func(other *gitlabJob) bool {
		return other != g && !m.deploys(other)
	})
}

// after tells what of after_script, which has a shell of its own, would not run as it did.
func (m *gitlabMigration) after(g *gitlabJob) {
	owner := m.jobs.takes(g, "after_script")
	for _, e := range m.entriesOf(m.jobs, owner, "after_script") {
		if owner.pair == nil && owner.node != m.root {
			e.from = g.pair.Key.GetToken().Position.Line - 1
		}
		j := &shellJob{workflow: m.workflow, entries: []*jobEntry{e}}
		if e.script.why != nil {
			j.noteAt(e, "what after_script runs here is none that a shell could read: see whether it runs in kamal-op's image")
			continue
		}
		for _, stmt := range e.script.file.Stmts {
			if runsKamal(stmt) || j.byAnother(stmt) != "" {
				j.noteAt(e, "after_script runs kamal in a shell of its own, which has neither secrets nor an agent: write kamal-op kamal -- in its place")
			}
			for _, name := range calls(printed(stmt)) {
				if !isKamal(name) && name != "bundle" && !strings.Contains(name, "/") && !slices.Contains(inImage, name) {
					j.noteAt(e, "after_script calls "+name+", which kamal-op's image has not")
				}
			}
		}
	}
}

// tellImage notes what goes with an image that is more than a name.
func (m *gitlabMigration) tellImage(owner *gitlabJob) {
	for _, pair := range yamlfile.Pairs(yamlfile.Child(owner.node, "image")) {
		if key := pair.Key.GetToken().Value; key != "name" && key != "entrypoint" {
			m.plan.note("%s:%d: %s is of the image that the job had, and goes with it", m.file, pair.Key.GetToken().Position.Line, key)
		}
	}
}

// inLines refuses a job that is written in braces: its keys have no lines of their own.
func (m *gitlabMigration) inLines(g *gitlabJob) error {
	line := g.pair.Key.GetToken().Position.Line
	mapping, ok := g.node.(*ast.MappingNode)
	flow := ok && mapping.IsFlowStyle
	for _, pair := range yamlfile.Pairs(g.node) {
		flow = flow || pair.Key.GetToken().Position.Line == line
	}
	if flow {
		return m.refuse(line, "write each of its keys in a line of its own", "the job %s is written in braces", g.name)
	}
	return nil
}

// put writes a key at the head of a job.
func (m *gitlabMigration) put(g *gitlabJob, line string) error {
	if err := m.inLines(g); err != nil {
		return err
	}
	at := m.headOf(g.pair)
	m.inserts[at] = append(m.inserts[at], indentOf(g)+line+m.eol())
	return nil
}

// replace puts a line, or nothing, in the place of a key and what it has.
func (m *gitlabMigration) replace(g *gitlabJob, key, line string) error {
	if err := m.inLines(g); err != nil {
		return err
	}
	for _, pair := range yamlfile.Pairs(g.node) {
		if pair.Key.GetToken().Value != key {
			continue
		}
		from, to := m.spanOf(pair)
		var text []string
		if line != "" {
			text = []string{indentOf(g) + line + m.eol()}
		}
		m.changes = append(m.changes, lineChange{from, to, text})
	}
	return nil
}

// scopes are the variables that a job has, the nearest first.
func (m *gitlabMigration) scopes(g *gitlabJob) []ast.Node {
	var all []ast.Node
	var of func(g *gitlabJob, depth int)
	of = func(g *gitlabJob, depth int) {
		all = append(all, yamlfile.Child(g.node, "variables"))
		for _, parent := range g.parents {
			if depth <= maxExtends {
				of(parent, depth+1)
			}
		}
	}
	of(g, 0)
	return append(all, yamlfile.Child(m.root, "variables"))
}

// references are the variables of a job that are secret references.
func (m *gitlabMigration) references(g *gitlabJob) map[string]string {
	found := map[string]string{}
	for _, scope := range slices.Backward(m.scopes(g)) {
		for _, pair := range yamlfile.Pairs(scope) {
			delete(found, pair.Key.GetToken().Value)
			if value := scalarText(pair.Value); strings.HasPrefix(value, "op://") {
				found[pair.Key.GetToken().Value] = value
			}
		}
	}
	return found
}

// variables puts what kamal-op is given under variables: of the job that has the script.
func (m *gitlabMigration) variables(j *shellJob, owner, g *gitlabJob) error {
	given, err := j.given(m.scopes(g)...)
	if err != nil || len(given) == 0 {
		return err
	}
	if owner.merged && yamlfile.Child(owner.node, "variables") == nil && owner.owner("variables") != nil {
		return m.refuse(owner.pair.Key.GetToken().Position.Line, "write them out in the job", "the variables of %s are merged in by <<, which takes them all or none", owner.name)
	}
	for _, heir := range m.heirs(owner) {
		line := heir.pair.Key.GetToken().Position.Line
		if heir != owner && heir.merged && yamlfile.Child(heir.node, "variables") != nil {
			return m.refuse(line, "let it extend the other (extends:), which puts both together", "the job %s has %s merged in by <<, and variables of its own take the place of all that stand there", heir.name, owner.name)
		}
		if heir != g && !maps.Equal(m.references(heir), m.references(g)) {
			return m.refuse(line, "write the script into each of them", "the jobs %s and %s have a script in common, and other secret references as variables", g.name, heir.name)
		}
		for _, scope := range m.scopes(heir) {
			for _, pair := range yamlfile.Pairs(scope) {
				if name := pair.Key.GetToken().Value; slices.ContainsFunc(given, func(line string) bool { return strings.HasPrefix(line, name+":") }) {
					return m.refuse(pair.Key.GetToken().Position.Line, "write into it what the job is to be given", "%s is there already for the job %s, in the place of what the script is given", name, heir.name)
				}
			}
		}
	}
	if err := m.inLines(owner); err != nil {
		return err
	}
	lines, at, err := m.linesUnder(owner.pair, "variables", given)
	if err == nil {
		m.inserts[at] = append(m.inserts[at], lines...)
	}
	return err
}
