package check

import (
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A workflowReader reads the workflows of a repository from those that an event starts to
// those that they call: what is called has the event and the permissions of its caller.
type workflowReader struct {
	docs  map[string][]ast.Node
	read  map[string]bool
	gives func(option string) bool // whether the project's file gives an option
	jobs  []WorkflowJob
	calls int          // that have been followed from the file at the top
	all   int          // that have been followed from all files
	first *WorkflowJob // whose call is not followed since so many have been
}

// The bounds of what is followed from one file. GitHub takes ten levels of workflows, the
// one at the top among them; it takes no more than fifty workflows in all either, which
// may still call each other in more ways than can be looked at. Where MostCalls or
// MostCallsInAll ends it, a job is Unfollowed.
const (
	mostLevels = 10
	MostCalls  = 2000
	// MostCallsInAll bounds the calls that are followed from all files: of several hundred that
	// call each other in a ring, each has as many as one may have. Every file's own jobs
	// are looked at still.
	MostCallsInAll = 10000
)

// onlyCalled tells whether no event but a call starts a workflow.
func (r *workflowReader) onlyCalled(name string) bool {
	return !slices.ContainsFunc(r.docs[name], func(doc ast.Node) bool {
		return slices.ContainsFunc(namesOf(valueOf(yamlfile.Pairs(doc), "on")), func(event string) bool { return event != "workflow_call" })
	})
}

// file takes the jobs of a workflow. caller is the job that calls it, nil for an event;
// above are the workflows that lead to it.
func (r *workflowReader) file(name string, caller *WorkflowJob, above []string) {
	if len(above) == 0 {
		r.calls = 0
	}
	if slices.Contains(above, name) || len(above) == mostLevels {
		return // which GitHub refuses
	}
	if r.calls > MostCalls || len(above) > 0 && r.all >= MostCallsInAll {
		if r.first == nil {
			r.first = &WorkflowJob{Name: caller.Name, Place: caller.Place, Unfollowed: true}
		}
		return
	}
	r.calls, r.all = r.calls+1, r.all+1
	r.read[name] = true
	for _, doc := range r.docs[name] {
		top := yamlfile.Pairs(doc)
		for _, pair := range yamlfile.Pairs(valueOf(top, "jobs")) {
			job := yamlfile.Pairs(pair.Value)
			j := r.job(top, pair, name, caller)
			if called, ok := strings.CutPrefix(textOf(valueOf(job, "uses")), "./"); ok && r.docs[called] != nil {
				r.file(called, &j, append(slices.Clone(above), name))
			}
			if len(j.Commands) > 0 || j.Unread != "" {
				r.jobs = append(r.jobs, j)
			}
		}
	}
}

// job is one of a workflow, with all that is known of it.
func (r *workflowReader) job(top []*ast.MappingValueNode, pair *ast.MappingValueNode, file string, caller *WorkflowJob) WorkflowJob {
	job := yamlfile.Pairs(pair.Value)
	at, condition := pair.Key.GetToken(), textOf(valueOf(job, "if"))
	j := WorkflowJob{
		Name: at.Value, Place: problem.Place{File: file, Line: at.Position.Line}, Events: namesOf(valueOf(top, "on")),
		Permissions: permissionsOf(valueOf(job, "permissions")), Environment: environmentOf(valueOf(job, "environment")),
		Own: ownRepository().MatchString(condition) && !strings.Contains(condition, "||"), gives: r.gives,
	}
	if j.Permissions == nil {
		j.Permissions = permissionsOf(valueOf(top, "permissions"))
	}
	if caller != nil {
		j.calledBy(caller)
	}
	around := environment(slices.Concat(yamlfile.Pairs(valueOf(top, "env")), yamlfile.Pairs(valueOf(job, "env"))))
	if steps, ok := valueOf(job, "steps").(*ast.SequenceNode); ok {
		for _, step := range steps.Values {
			j.step(yamlfile.Pairs(step), around)
		}
	}
	j.call(job)
	return j
}

// calledBy gives a job what those have that call its workflow.
func (j *WorkflowJob) calledBy(caller *WorkflowJob) {
	j.Name, j.Events = caller.Name+" / "+j.Name, caller.Events
	j.Own, j.brings = j.Own || caller.Own, caller.brings
	switch {
	case j.Permissions == nil:
		j.Permissions = caller.Permissions
	case caller.Permissions != nil:
		j.Permissions = fewer(j.Permissions, caller.Permissions)
	}
}

// fewer are the permissions that both have: a workflow that is called gets no more than
// its caller.
func fewer(a, b map[string]string) map[string]string {
	both := map[string]string{}
	for scope := range maps.Keys(a) {
		both[scope] = least(a[scope], levelOf(b, scope))
	}
	for scope := range maps.Keys(b) {
		both[scope] = least(levelOf(a, scope), b[scope])
	}
	return both
}

func levelOf(permissions map[string]string, scope string) string {
	if level, ok := permissions[scope]; ok {
		return level
	}
	return permissions["*"]
}

func least(a, b string) string {
	levels := []string{"read", "write"} // none is below both
	if slices.Index(levels, a) < slices.Index(levels, b) {
		return a
	}
	return b
}

// ownWorkflow is one of kamal-op's workflows that projects call.
var ownWorkflow = lazy.Regexp(`^kamal-op/kamal-op/\.github/workflows/(deploy|review|sweep)\.yml@`)

// commandOf is the command that a workflow of kamal-op's carries out where it is given
// none, "" where uses names no such workflow.
func commandOf(uses string) string {
	m := ownWorkflow().FindStringSubmatch(uses)
	switch {
	case m == nil:
		return ""
	case m[1] == "sweep":
		return "review sweep"
	}
	return m[1]
}

// anotherWorkflow is a workflow of another repository.
var anotherWorkflow = lazy.Regexp(`^[\w.-]+/[\w.-]+/\.github/workflows/([\w.-]+)@`)

// deployingName is a name of what deploys.
var deployingName = lazy.Regexp(`(?i)kamal|deploy|ship`)

// givesNothing is for who has no project's file.
func givesNothing(string) bool { return false }

// namesEnvironment tells whether an input is the environment of a called workflow's job,
// which GitHub is told of by nobody else.
func namesEnvironment(input *ast.MappingValueNode) bool {
	return input.Key.GetToken().Value == GitHubEnvironment
}

// call takes what a job says that calls a workflow of another repository.
func (j *WorkflowJob) call(job []*ast.MappingValueNode) {
	uses, with, secrets := textOf(valueOf(job, "uses")), yamlfile.Pairs(valueOf(job, "with")), valueOf(job, "secrets")
	j.brings = slices.ContainsFunc(with, func(pair *ast.MappingValueNode) bool { return j.outside(textOf(pair.Value)) })
	if j.Asks = commandOf(uses); j.Asks != "" {
		gives := j.gives
		j.gives = givesNothing // its token may not tell GitHub, whatever the project's file says
		j.inputs(j.Asks, slices.DeleteFunc(slices.Clone(with), namesEnvironment), nil)
		j.gives = gives
		j.Head = j.brings || j.Asks == "review" // which checks out the pull request's head
		j.Environment = environmentOf(valueOf(with, GitHubEnvironment))
		j.Token = textOf(secrets) == "inherit" || slices.ContainsFunc(yamlfile.Pairs(secrets), func(pair *ast.MappingValueNode) bool {
			return slices.Contains([]string{"OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN"}, strings.ToUpper(pair.Key.GetToken().Value))
		})
		return
	}
	m := anotherWorkflow().FindStringSubmatch(uses)
	if m == nil {
		return
	}
	handed := textOf(secrets) == "inherit" || slices.ContainsFunc(slices.Concat(with, yamlfile.Pairs(secrets)), func(pair *ast.MappingValueNode) bool {
		return strings.Contains(textOf(pair.Value), "op://") || strings.Contains(textOf(pair.Value), "OP_SERVICE_ACCOUNT") || strings.Contains(textOf(pair.Value), "OP_CONNECT")
	})
	if handed || deployingName().MatchString(uses) {
		j.Unread = uses
	}
}
