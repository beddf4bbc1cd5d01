package edit

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// image lets the job run in our image, with the shell that it has.
func (m *circleMigration) image(job *ast.MappingValueNode, steps []circleStep) error {
	pairs := yamlfile.Pairs(job.Value)
	pad := strings.Repeat(" ", pairs[0].Key.GetToken().Position.Column-1)
	at := m.headOf(job)
	put := func(lines ...string) {
		for _, line := range lines {
			m.inserts[at] = append(m.inserts[at], pad+line+m.eol())
		}
	}
	if shell := yamlfile.Child(job.Value, "shell"); shell == nil {
		put("shell: /bin/sh -e")
	} else if bashShell().MatchString(scalarText(shell)) {
		return m.refuse(at, "leave shell: away, if sh can run it", "the job runs in bash, which kamal-op's image has not")
	}
	docker := yamlfile.Child(job.Value, "docker")
	if list, ok := docker.(*ast.SequenceNode); ok && len(list.Values) > 0 {
		if m.isShared(job.Value, "docker") {
			return m.refuse(at, "write docker: out in the job", "docker: of the job is an anchor or an alias, which others share")
		}
		if err := m.ofOldImage(list.Values[0]); err != nil {
			return err
		}
		image := yamlfile.Child(list.Values[0], "image")
		if image == nil || m.sharedBy(list.Values[0]) != nil {
			return m.refuse(at, "write - image: of the job in a line of its own", "the image of the job is not one that can be changed here")
		}
		line := image.GetToken().Position.Line - 1
		text := scalarText(image)
		if strings.Count(m.lines[line], text) != 1 {
			return m.refuse(line+1, "write - image: of the job in a line of its own", "the image of the job is not one that can be changed here")
		}
		from := strings.Index(m.lines[line], text)
		m.texts = append(m.texts, textChange{line, from, from + len(text), ourImage})
		return nil
	}
	put("docker:", "  - image: "+ourImage)
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		if key != "machine" && key != "executor" {
			continue
		}
		if key == "executor" {
			if err := m.executor(pair); err != nil {
				return err
			}
		}
		from, to := m.spanOf(pair)
		m.changes = append(m.changes, lineChange{from, to, nil})
		if key == "machine" {
			m.remoteDocker(steps)
		}
	}
	return nil
}

// remoteDocker gives a job an engine, which a machine has of its own.
func (m *circleMigration) remoteDocker(steps []circleStep) {
	if slices.ContainsFunc(steps, func(s circleStep) bool { return s.name == "setup_remote_docker" }) {
		return
	}
	at := steps[0].from
	if i := slices.IndexFunc(steps, func(s circleStep) bool { return s.name == "checkout" }); i >= 0 {
		at = steps[i].to
	}
	dash := m.lines[steps[0].from]
	m.inserts[at] = append(m.inserts[at], dash[:strings.IndexByte(dash, '-')]+"- setup_remote_docker"+m.eol())
}

// ofOldImage refuses what is said of an image that another takes the place of.
func (m *circleMigration) ofOldImage(container ast.Node) error {
	for _, pair := range yamlfile.Pairs(container) {
		if key := pair.Key.GetToken().Value; key != "image" && key != "environment" && key != "name" {
			return m.refuse(pair.Key.GetToken().Position.Line, "take it out first", "%s is of the image that the job has now, and not of kamal-op's, which is public", key)
		}
	}
	return nil
}

// executor refuses an executor that gives the job more than an image.
func (m *circleMigration) executor(pair *ast.MappingValueNode) error {
	name := scalarText(pair.Value)
	if named := yamlfile.Child(pair.Value, "name"); named != nil {
		name = scalarText(named)
	}
	refuse := func(format string, args ...any) error {
		return m.refuse(pair.Key.GetToken().Position.Line, "write docker:, and what else it gives, into the job in the place of executor:", format, args...)
	}
	of, _ := m.item(yamlfile.Child(yamlfile.Child(m.root, "executors"), name))
	if of == nil {
		return refuse("what the executor %s gives the job is not known here", name)
	}
	for _, given := range yamlfile.Pairs(of) {
		list, _ := given.Value.(*ast.SequenceNode)
		switch key := given.Key.GetToken().Value; {
		case key == "docker" && list != nil && len(list.Values) == 1:
			for _, of := range yamlfile.Pairs(list.Values[0]) {
				if key := of.Key.GetToken().Value; key != "image" {
					return refuse("the executor %s gives the job more than an image: %s in line %d", name, key, of.Key.GetToken().Position.Line)
				}
			}
		case key == "docker":
			return refuse("the executor %s gives the job more than one container", name)
		case key != "description":
			return refuse("the executor %s gives the job more than an image: %s in line %d", name, key, given.Key.GetToken().Position.Line)
		}
	}
	return nil
}

// ofStep refuses what kamal-op reads itself in the environment of one step, and a secret
// reference that has another value elsewhere in the job: given are those before it.
func (m *circleMigration) ofStep(env ast.Node, given map[string]string) error {
	for _, pair := range yamlfile.Pairs(env) {
		name, value := pair.Key.GetToken().Value, scalarText(pair.Value)
		line := pair.Key.GetToken().Position.Line
		if strings.HasPrefix(name, "KAMAL_OP_") {
			return m.refuse(line, "write it under environment: of the job", "%s stands in one step, in the place of what the job is given", name)
		}
		other, there := given[name]
		if there && other != value && (strings.HasPrefix(value, "op://") || strings.HasPrefix(other, "op://")) {
			return m.refuse(line, "give each deploy a job of its own", "%s has two values in the job, one of them a secret reference", name)
		}
		given[name] = value
	}
	return nil
}

// within refuses a deploy that stands in a step which is no run of the job's own, as in
// when: or a matrix of steps.
func (m *circleMigration) within(job *ast.MappingValueNode) error {
	var find func(n ast.Node) int
	find = func(n ast.Node) int {
		n, _ = m.item(n)
		if list, ok := n.(*ast.SequenceNode); ok {
			for _, v := range list.Values {
				if line := find(v); line > 0 {
					return line
				}
			}
		}
		for _, pair := range yamlfile.Pairs(n) {
			text := scalarText(pair.Value)
			if command := yamlfile.Child(pair.Value, "command"); command != nil {
				text = scalarText(command)
			}
			if pair.Key.GetToken().Value == "run" && parseCommands(text).deploys() {
				return pair.Key.GetToken().Position.Line
			}
			if line := find(pair.Value); line > 0 {
				return line
			}
		}
		return 0
	}
	if line := find(yamlfile.Child(job.Value, "steps")); line > 0 {
		return m.refuse(line, "make it a step of the job, or a job of its own with when: in the workflow", "the deploy of the job %s stands within another step", job.Key.GetToken().Value)
	}
	return nil
}
