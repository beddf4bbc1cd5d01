package edit

import (
	"maps"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

const ourImage = "ghcr.io/kamal-op/kamal-op:1"

// callsOurs is a job that calls kamal-op already.
var callsOurs = lazy.Regexp(`\bkamal-op (?:deploy|setup|redeploy|rollback|kamal)\b|kamal-op/kamal-op/deploy@|kamal-op/deploy\b`)

// A gitlabMigration makes jobs of kamal-op of those that run Kamal.
type gitlabMigration struct {
	*workflow

	jobs    *gitlabJobs
	done    map[shellOwners]*shellJob
	images  map[*gitlabJob]bool   // that have our image now
	befores map[*gitlabJob][]fate // of the commands of a before_script that is done
	texts   []textChange
	changes []lineChange
	inserts map[int][]string // lines to put before a line
}

// shellOwners are the jobs that have what a shell runs.
type shellOwners struct{ script, before *gitlabJob }

// migrateGitlab gives the new text of a .gitlab-ci.yml.
func (w *workflow) migrateGitlab() (string, error) {
	if err := w.readJobs("GitLab"); err != nil {
		return "", err
	}
	more, unread := w.tree.gitlabOthers(w.file)
	m := &gitlabMigration{workflow: w, jobs: w.readGitlab(more, unread), done: map[shellOwners]*shellJob{}, images: map[*gitlabJob]bool{}, befores: map[*gitlabJob][]fate{}, inserts: map[int][]string{}}
	for _, g := range m.jobs.all {
		if g.hidden() && len(m.heirs(g)) > 0 {
			continue // it is migrated by those that extend it
		}
		if err := m.job(g); err != nil {
			return "", err
		}
	}
	if len(m.done) == 0 {
		return w.noJob("GitLab", "script")
	}
	for at, lines := range m.inserts {
		m.changes = append(m.changes, lineChange{at, at, lines})
	}
	return w.written(m.texts, m.changes)
}

// heirs are the jobs of the file that run a hidden job's script.
func (m *gitlabMigration) heirs(g *gitlabJob) []*gitlabJob { return m.jobs.takers(g, "script") }

// heirsElsewhere refuses a script that a job of another file runs, too, in an image or
// behind commands of its own: it would run kamal-op where there is none.
func (m *gitlabMigration) heirsElsewhere(owner *gitlabJob) error {
	for _, name := range slices.Sorted(maps.Keys(m.jobs.byName)) {
		heir := m.jobs.byName[name]
		if heir.pair != nil || heir.hidden() || m.jobs.takes(heir, "script") != owner {
			continue
		}
		line := owner.pair.Key.GetToken().Position.Line
		for _, key := range []string{"image", "before_script"} {
			if of := heir.owner(key); of != nil && of.pair == nil {
				return m.refuse(line, "write that job into this file, or take its "+key+" out, if kamal-op's image will do", "the job %s of another file runs this script too, with %s of its own", name, key)
			}
		}
		for _, pair := range yamlfile.Pairs(yamlfile.Child(heir.node, "variables")) {
			if strings.HasPrefix(scalarText(pair.Value), "op://") {
				return m.refuse(line, "write that job into this file", "the job %s of another file runs this script too, with a secret reference of its own: %s", name, pair.Key.GetToken().Value)
			}
		}
		if note := m.file + ":" + itoa(line) + ": the job " + name + " of another file runs this script too, and calls kamal-op now: look whether what it gives Kamal is declared"; !slices.Contains(m.plan.Notes, note) {
			m.plan.note("%s", note)
		}
	}
	return nil
}

// job migrates a job that runs kamal.
func (m *gitlabMigration) job(g *gitlabJob) error {
	owner := m.jobs.takes(g, "script")
	if owner == nil {
		return nil
	}
	own := m.entriesOf(m.jobs, owner, "script")
	if !slices.ContainsFunc(own, func(e *jobEntry) bool { return e.script.deploys() }) {
		m.tellUndecided(own)
		return nil
	}
	at := g.pair.Key.GetToken().Position.Line
	if owner.pair == nil {
		return m.refuse(at, "migrate the file that has it, or write the script into this one", "the script of the job %s stands in another file", g.name)
	}
	if name := g.unknownParent(0); name != "" && g.owner("before_script") == nil {
		return m.refuse(at, "give the job before_script of its own, or write out what it extends", "the job %s extends %s, which no file here has: what runs before its script is not known", g.name, name)
	}
	if err := m.heirsElsewhere(owner); err != nil {
		return err
	}
	before := m.jobs.takes(g, "before_script")
	done := m.done[shellOwners{owner, before}]
	if done == nil {
		var err error
		if done, err = m.shell(g, owner, before, own); err != nil {
			return err
		}
	}
	if err := m.before(done, g, before, len(done.entries)-len(own)); err != nil {
		return err
	}
	m.after(g)
	return m.image(g, owner)
}

// tellUndecided notes the lines of a job in which a variable or a parameter decides what
// kamal does.
func (w *workflow) tellUndecided(entries []*jobEntry) {
	for _, e := range entries {
		if e.script.mayDeploy() && !strings.Contains(e.text, "kamal-op") {
			w.undecided = append(w.undecided, e.line())
			w.noteAt(e, "which command of kamal this line runs is not known: its job stays as it is")
		}
	}
}

// entry changes one entry of the job's: it goes, or its lines that do, and its calls of
// kamal become such of kamal-op.
func (m *gitlabMigration) entry(j *shellJob, e *jobEntry) error {
	all, some := e.goes()
	switch {
	case all && e.whole:
		m.changes = append(m.changes, lineChange{e.from, e.to, nil})
		return nil
	case some:
		gone, ok := e.without()
		if !ok {
			return m.refuse(e.line(), "write each command as an entry of its own", "a part of this entry goes with what kamal-op does now, and it is written in one")
		}
		for _, r := range gone {
			m.changes = append(m.changes, lineChange{r.from, r.to, nil})
		}
	}
	calls, err := j.callsOf(e)
	m.texts = append(m.texts, calls...)
	return err
}

// inherits tells whether a job would take before_script from elsewhere without its own.
func (all *gitlabJobs) inherits(g *gitlabJob) bool {
	return slices.ContainsFunc(append(slices.Clone(all.defaults), g.parents...), func(other *gitlabJob) bool { return other.owner("before_script") != nil })
}

func (m *gitlabMigration) deploys(g *gitlabJob) bool {
	owner := m.jobs.takes(g, "script")
	return owner != nil && slices.ContainsFunc(m.entriesOf(m.jobs, owner, "script"), func(e *jobEntry) bool { return e.script.deploys() })
}

// image gives the job our image: where the one it has stands, if no other job takes it
// from there.
func (m *gitlabMigration) image(g, script *gitlabJob) error {
	owner := m.jobs.takes(g, "image")
	if owner != nil && owner.pair != nil && owner.name != "default" && !slices.ContainsFunc(m.jobs.takers(owner, "image"), func(other *gitlabJob) bool { return !m.deploys(other) }) {
		if !m.images[owner] {
			m.images[owner] = true
			m.tellImage(owner)
			return m.replace(owner, "image", "image: "+ourImage)
		}
		return nil
	}
	at := g
	if script.hidden() && g.owner("image") == nil {
		at = script
	}
	if m.images[at] {
		return nil
	}
	m.images[at] = true
	if owner == nil {
		m.plan.note("%s:%d: no image was named: a runner whose executor is shell takes none, and has kamal-op on its PATH then (docs/install.md)", m.file, at.pair.Key.GetToken().Position.Line)
	}
	return m.put(at, "image: "+ourImage)
}

// indent is what stands before the keys of a job.
func indentOf(g *gitlabJob) string {
	return strings.Repeat(" ", yamlfile.Pairs(g.node)[0].Key.GetToken().Position.Column-1)
}

// tell says what is left to a person.
func (m *gitlabMigration) tell(j *shellJob, g *gitlabJob) {
	line := g.pair.Key.GetToken().Position.Line
	j.tell(line)
	if m.jobs.includes {
		m.plan.note("%s: what the included files that are not of this repository give to every job (default:) is not known here", m.file)
	}
	if m.jobs.takes(g, "services") == nil && !strings.Contains(m.text, "DOCKER_HOST") {
		m.plan.note("%s:%d: the job has no services: Kamal builds with the engine that the runner gives, or with the builder of deploy.yml (%s)", m.file, line, GitLab.page())
	}
	m.plan.note("%s: %s", m.file, unseen(GitLab))
}
