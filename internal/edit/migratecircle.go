package edit

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A circleMigration makes jobs of kamal-op of those that run Kamal.
type circleMigration struct {
	*workflow

	texts   []textChange
	changes []lineChange
	inserts map[int][]string
}

// A circleStep is a step of a job.
type circleStep struct {
	name     string // checkout, run, ORB/COMMAND
	value    ast.Node
	from, to int
	entry    *jobEntry // of a run
	marked   bool
}

var (
	// circleOwn are CircleCI's own steps that need no more than what every image has.
	circleOwn = []string{"checkout", "setup_remote_docker", "restore_cache", "save_cache", "store_artifacts", "store_test_results", "persist_to_workspace", "attach_workspace"}
	// circleGone are steps of orbs that bring what the image has.
	circleGone = lazy.Regexp(`^(?:ruby/install(?:-deps)?|rbenv/\S+|(?:1password|onepassword|secrets)/install-cli|docker/(?:install-docker|setup))$`)
	exportStep = lazy.Regexp(`^[\w-]+/export$`)
	bashShell  = lazy.Regexp(`\bbash\b`)
)

// migrateCircle gives the new text of a CircleCI configuration.
func (w *workflow) migrateCircle() (string, error) {
	if err := w.readJobs("CircleCI"); err != nil {
		return "", err
	}
	m := &circleMigration{workflow: w, inserts: map[int][]string{}}
	migrated := false
	for _, job := range yamlfile.Pairs(yamlfile.Child(w.root, "jobs")) {
		done, err := m.job(job)
		if err != nil {
			return "", err
		}
		if !done {
			if err := m.within(job); err != nil {
				return "", err
			}
		}
		migrated = migrated || done
	}
	if err := m.elsewhere(); err != nil {
		return "", err
	}
	if !migrated {
		return w.noJob("CircleCI", "steps")
	}
	for at, lines := range m.inserts {
		m.changes = append(m.changes, lineChange{at, at, lines})
	}
	return w.written(m.texts, m.changes)
}

// elsewhere refuses a deploy that stands in a command, or in an orb of the file's own.
func (m *circleMigration) elsewhere() error {
	for _, key := range []string{"commands", "orbs"} {
		for _, pair := range yamlfile.Pairs(yamlfile.Child(m.root, key)) {
			if deploys().MatchString(withoutComments(pair.Value.String())) {
				return m.refuse(pair.Key.GetToken().Position.Line, "write it into a step of the job, as run: kamal deploy", "the deploy stands in %s, under %s", pair.Key.GetToken().Value, key)
			}
			if line := pair.Key.GetToken().Position.Line; undecided().MatchString(withoutComments(pair.Value.String())) {
				m.undecided = append(m.undecided, line)
				m.plan.note("%s:%d: which command of kamal %s runs is not known: the jobs that use it stay as they are", m.file, line, pair.Key.GetToken().Value)
			}
		}
	}
	return nil
}

// job migrates one job; done is whether it runs kamal.
func (m *circleMigration) job(job *ast.MappingValueNode) (done bool, err error) {
	steps, err := m.steps(job)
	if err != nil || !slices.ContainsFunc(steps, func(s circleStep) bool { return s.entry != nil && s.entry.script.deploys() }) {
		for _, s := range steps {
			if s.entry != nil {
				m.tellUndecided([]*jobEntry{s.entry})
			}
		}
		return false, err
	}
	line := job.Key.GetToken().Position.Line
	if m.sharedBy(job) != nil || m.marks[job] == "*" {
		return true, m.refuse(line, "write it out", "the job %s stands in an anchor, which others have too, or is an alias", job.Key.GetToken().Value)
	}
	if yamlfile.Child(job.Value, "macos") != nil {
		return true, m.refuse(line, "let it run in docker", "the job %s runs on macOS, where kamal-op's image does not", job.Key.GetToken().Value)
	}
	var entries []*jobEntry
	var exported []string
	agent := false
	for _, s := range steps {
		gone, err := m.step(s, &exported, &agent)
		switch {
		case err != nil:
			return true, err
		case s.entry != nil:
			entries = append(entries, s.entry)
		case gone:
			m.changes = append(m.changes, lineChange{s.from, s.to, nil})
		}
	}
	shell, err := newShellJob(m.workflow, CircleCI, entries)
	if err != nil {
		return true, err
	}
	if agent {
		shell.lost = true
		if m.o.SSHKey != "" {
			if err := shell.givenKey(shell.keys); err != nil {
				return true, err
			}
		}
	}
	shell.added = append(exported, shell.added...)
	for _, e := range entries {
		if err := m.entry(shell, e); err != nil {
			return true, err
		}
	}
	if err := m.image(job, steps); err != nil {
		return true, err
	}
	if err := m.environment(shell, job, steps); err != nil {
		return true, err
	}
	m.tell(shell, job)
	return true, nil
}

// steps are those of a job, each with its lines.
func (m *circleMigration) steps(job *ast.MappingValueNode) ([]circleStep, error) {
	list, ok := yamlfile.Child(job.Value, "steps").(*ast.SequenceNode)
	if !ok {
		return nil, nil
	}
	deploying := deploys().MatchString(list.String())
	if deploying && (list.IsFlowStyle || m.isShared(job.Value, "steps")) {
		return nil, m.refuse(list.Start.Position.Line, "write each in lines of its own, in the job", "the steps that run kamal are written in brackets, or are an anchor or an alias")
	}
	if list.IsFlowStyle {
		return nil, nil
	}
	var steps []circleStep
	for i, v := range list.Values {
		item, marked := m.item(v)
		from := v.GetToken().Position.Line - 1
		if pairs := yamlfile.Pairs(item); !marked && len(pairs) > 0 {
			from = pairs[0].Key.GetToken().Position.Line - 1
		}
		end := len(m.lines)
		if i+1 < len(list.Values) {
			end = list.Values[i+1].GetToken().Position.Line - 1
			if pairs := yamlfile.Pairs(list.Values[i+1]); len(pairs) > 0 {
				end = pairs[0].Key.GetToken().Position.Line - 1
			}
		}
		s := circleStep{name: scalarText(item), from: from, to: entryEnd(m.lines, from, list.Start.Position.Column-1, end), marked: marked}
		if pairs := yamlfile.Pairs(item); len(pairs) > 0 {
			s.name, s.value = pairs[0].Key.GetToken().Value, pairs[0].Value
		}
		if s.name == "run" {
			m.command(&s)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// command is the text of a run, which stands in it or under its command.
func (m *circleMigration) command(s *circleStep) {
	of, from, to := s.value, s.from, s.to
	for _, pair := range yamlfile.Pairs(s.value) {
		if pair.Key.GetToken().Value == "command" {
			of = pair.Value
			from, to = m.spanOf(pair)
		}
	}
	s.entry = newEntry(m.lines, of, from, min(to, s.to))
	s.entry.fixed = s.marked
	s.entry.whole = true
}

// step says whether a step goes, and refuses what would not run in kamal-op's image.
func (m *circleMigration) step(s circleStep, exported *[]string, agent *bool) (gone bool, err error) {
	line := s.from + 1
	switch {
	case s.entry != nil:
		if shell := yamlfile.Child(s.value, "shell"); shell != nil && bashShell().MatchString(scalarText(shell)) {
			return false, m.refuse(line, "leave shell: away, if sh can run it", "the step runs in bash, which kamal-op's image has not")
		}
		return false, nil
	case slices.Contains(circleOwn, s.name):
		return false, nil
	case s.name == "add_ssh_keys":
		*agent = true
		if m.o.SSHKey == "" {
			return false, m.refuse(line, "put the key into 1Password, and name it: --ssh-key op://Vault/Server", "the SSH key is one of the project's settings (add_ssh_keys), not from 1Password")
		}
		return true, nil
	case circleGone().MatchString(s.name):
		return true, nil
	case exportStep().MatchString(s.name) && strings.HasPrefix(scalarText(yamlfile.Child(s.value, "secret-reference")), "op://"):
		*exported = append(*exported, scalarText(yamlfile.Child(s.value, "var-name"))+"="+scalarText(yamlfile.Child(s.value, "secret-reference")))
		return true, nil
	}
	for _, pair := range yamlfile.Pairs(yamlfile.Child(m.root, "commands")) {
		if pair.Key.GetToken().Value == s.name {
			return m.ownCommand(s, pair)
		}
	}
	return false, m.refuse(line, "give the deploy a job of its own, without it", "the step %s is not known here: whether it runs in kamal-op's image nobody could say", s.name)
}

// ownCommand looks at the steps of a command of the file's own.
func (m *circleMigration) ownCommand(s circleStep, of *ast.MappingValueNode) (bool, error) {
	list, _ := yamlfile.Child(of.Value, "steps").(*ast.SequenceNode)
	var entries []*jobEntry
	if list != nil {
		for _, v := range list.Values {
			item, _ := m.item(v)
			pairs := yamlfile.Pairs(item)
			if len(pairs) == 0 || pairs[0].Key.GetToken().Value != "run" {
				entries = nil
				break
			}
			text := scalarText(pairs[0].Value)
			if command := yamlfile.Child(pairs[0].Value, "command"); command != nil {
				text = scalarText(command)
			}
			entries = append(entries, &jobEntry{text: text, script: parseCommands(text), fixed: true, from: s.from, to: s.to, first: -1})
		}
	}
	refused := m.refuse(s.from+1, "write what it does into the job", "the step %s is a command of this file's, which does more than kamal-op does now", s.name)
	if len(entries) == 0 {
		return false, refused
	}
	shell, err := newShellJob(m.workflow, CircleCI, entries)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(shell.entries, func(e *jobEntry) bool { all, _ := e.goes(); return !all }) {
		return false, refused
	}
	return true, nil
}

// entry changes the command of one step.
func (m *circleMigration) entry(j *shellJob, e *jobEntry) error {
	all, some := e.goes()
	switch {
	case all:
		from, to := m.stepOf(e)
		m.changes = append(m.changes, lineChange{from, to, nil})
		return nil
	case some:
		gone, ok := e.without()
		if !ok {
			return m.refuse(e.line(), "write each command on a line of its own", "a part of this step goes with what kamal-op does now, and it is written in one")
		}
		for _, r := range gone {
			m.changes = append(m.changes, lineChange{r.from, r.to, nil})
		}
	}
	calls, err := j.callsOf(e)
	m.texts = append(m.texts, calls...)
	return err
}

// stepOf are the lines of the step that has an entry.
func (m *circleMigration) stepOf(e *jobEntry) (from, to int) {
	for _, job := range yamlfile.Pairs(yamlfile.Child(m.root, "jobs")) {
		steps, _ := m.steps(job)
		for _, s := range steps {
			if s.from <= e.from && e.from < s.to {
				return s.from, s.to
			}
		}
	}
	return e.from, e.to
}

// environment puts what kamal-op is given under environment: of the job.
func (m *circleMigration) environment(j *shellJob, job *ast.MappingValueNode, steps []circleStep) error {
	env := yamlfile.Child(job.Value, "environment")
	scopes := []ast.Node{env}
	if list, ok := yamlfile.Child(job.Value, "docker").(*ast.SequenceNode); ok && len(list.Values) > 0 {
		scopes = append(scopes, yamlfile.Child(list.Values[0], "environment"))
	}
	given := map[string]string{}
	for _, scope := range slices.Backward(scopes) {
		for _, pair := range yamlfile.Pairs(scope) {
			given[pair.Key.GetToken().Value] = scalarText(pair.Value)
		}
	}
	for _, s := range steps {
		of := yamlfile.Child(s.value, "environment")
		if err := m.ofStep(of, given); err != nil {
			return err
		}
		if s.entry != nil && s.entry.script.deploys() {
			scopes = append(scopes, of) // what another step is given is nothing of Kamal's
		}
	}
	lines, err := j.given(scopes...)
	if err != nil || len(lines) == 0 {
		return err
	}
	if env == nil {
		for _, pair := range yamlfile.Pairs(job.Value) {
			if pair.Key.GetToken().Value == "<<" && yamlfile.Child(m.marked(pair.Value), "environment") != nil {
				return m.refuse(pair.Key.GetToken().Position.Line, "write environment: out in the job", "the environment of the job is merged in by <<, which takes all of it or none")
			}
		}
	}
	lines, at, err := m.linesUnder(job, "environment", lines)
	if err == nil {
		m.inserts[at] = append(m.inserts[at], lines...)
	}
	return err
}

// tell says what is left to a person.
func (m *circleMigration) tell(j *shellJob, job *ast.MappingValueNode) {
	j.tell(job.Key.GetToken().Position.Line)
	m.plan.note("%s: %s", m.file, unseen(CircleCI))
	name := job.Key.GetToken().Value
	for _, flow := range yamlfile.Pairs(yamlfile.Child(m.root, "workflows")) {
		list, ok := yamlfile.Child(flow.Value, "jobs").(*ast.SequenceNode)
		if !ok {
			continue
		}
		for _, v := range list.Values {
			item, _ := m.item(v)
			pairs := yamlfile.Pairs(item)
			named := scalarText(item) == name && len(pairs) == 0 || len(pairs) > 0 && pairs[0].Key.GetToken().Value == name
			if named && (len(pairs) == 0 || yamlfile.Child(pairs[0].Value, "context") == nil) {
				m.plan.note("%s:%d: the job names no context: the token is the project's environment variable then, or give it one (context: production)", m.file, v.GetToken().Position.Line)
			}
		}
	}
}
