package edit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// schemaLine has an editor complete and check the project file.
const schemaLine = "# yaml-language-server: $schema=https://raw.githubusercontent.com/kamal-op/kamal-op/main/docs/schema/kamal-op.json\n"

// initShared writes the workflow, and into the project file what holds for a terminal and
// every CI: the key where a workflow is begun and nothing says another, and the hosts'.
func (e *editor) initShared(in InitOptions, key string) error {
	shared := ""
	if !e.fileNamesKey() {
		shared, key = key, ""
	}
	if err := e.initWorkflow(in, key); err != nil {
		return err
	}
	var lines []string
	if shared != "" && e.workflowBegun() {
		lines = append(lines, "ssh-key: "+yamlWord(shared))
	}
	if len(in.HostKeys) > 0 {
		lines = append(lines, "host-keys: |")
		for _, key := range in.HostKeys {
			lines = append(lines, "  "+key)
		}
	}
	return e.addToProjectFile(lines)
}

// workflowBegun tells whether a file that deploys is written.
func (e *editor) workflowBegun() bool {
	return slices.ContainsFunc(e.files, func(f *workFile) bool {
		return f.secrets == nil && f.config == nil && f.name != reviewConfig && f.name != projectfile.Name && f.text != f.old
	})
}

// addToProjectFile writes keys with their values at the end of the project file. One that is
// not there is made.
func (e *editor) addToProjectFile(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	f := e.file(projectfile.Name)
	if f == nil {
		var err error
		if f, err = e.tree.read(projectfile.Name); err != nil {
			return err
		}
		if f.opaque {
			return problem.New(projectfile.Name+" is no file that could be written", "remove it first")
		}
		e.files = append(e.files, f)
	}
	if _, err := readProjectNames(f.text); err != nil {
		return e.cannotAdd(problem.Of(err)[0].Place, err, "mend it first: kamal-op config says what is wrong with it")
	}
	text, added := f.text, strings.Join(lines, "\n")+"\n"
	switch {
	case strings.TrimSpace(text) == "" && !f.exists:
		text = schemaLine
	case text != "" && !strings.HasSuffix(text, "\n"):
		text += "\n"
	}
	text += added
	if at := unsaid(text, f.text, added); at > 0 {
		return e.cannotAdd(problem.Place{File: f.name, Line: at}, nil, "write it with a key a line, without braces around all, and nothing behind the last")
	}
	f.text = text
	return nil
}

// cannotAdd is that nothing can be put behind the keys of the project file.
func (e *editor) cannotAdd(at problem.Place, cause error, hint string) error {
	if e.plan.Command == "migrate" {
		hint += "; or leave all in the workflow: kamal-op migrate --workflow-only"
	}
	p := problem.New(projectfile.Name+" is written in a way that nothing can be added to", hint)
	p.Place, p.Cause = at, cause
	return p
}

// unsaid is 0 where a text says all that its parts say and nothing else, each key as it
// was, or the line behind which it does not.
func unsaid(text string, parts ...string) int {
	var want []string
	for _, part := range parts {
		said, _, err := saidBy(part)
		if err != nil {
			return 1
		}
		want = append(want, said...)
	}
	said, end, err := saidBy(text)
	if err != nil {
		_, end, _ = saidBy(parts[0])
		return end
	}
	if !slices.Equal(said, want) {
		return end
	}
	return 0
}

var errDocuments = errors.New("there is more than one document")

// saidBy are the keys of a text with their values, and the line of the last.
func saidBy(text string) (said []string, end int, err error) {
	file, err := yamlfile.Parse(text, false)
	switch {
	case err != nil:
		return nil, 1, fmt.Errorf("the project file: %w", err)
	case len(file.Docs) > 1:
		return nil, 1, errDocuments
	}
	end = 1
	if len(file.Docs) == 1 {
		for _, pair := range yamlfile.Pairs(file.Docs[0].Body) {
			said, end = append(said, pair.Key.GetToken().Value+": "+strings.TrimSpace(pair.Value.String())), pair.Key.GetToken().Position.Line
		}
	}
	return said, end, nil
}
