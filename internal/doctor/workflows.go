package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/github"
)

// CheckWorkflows looks whether the jobs of the project's workflows that call kamal-op have
// the permissions that its commands use, whether a fork's code could run beside their
// secrets, and how the environments that they name are protected. client is nil where
// GitHub cannot be asked; jobs gives them.
func CheckWorkflows(jobs func() []check.WorkflowJob, client *github.Client) Check {
	c := Check{Area: areaGitHub, Name: "workflows"}
	c.Look = func(ctx context.Context) (found []Finding) {
		all := jobs()
		for _, j := range all {
			switch {
			case j.Unfollowed:
				found = append(found, unfollowed(j))
			case j.Unread != "":
				found = append(found, unread(j))
			default:
				found = append(found, permissions(j), handsToken(j), forkCode(j))
			}
		}
		found = byJob(slices.DeleteFunc(found, func(f Finding) bool { return f.Text == "" }))
		found = append(found, environments(ctx, all, client)...)
		return append(found, forks(ctx, all, client)...)
	}
	return c
}

// byJob has what is the same of a job for several calls that lead to it stand there once.
func byJob(found []Finding) (once []Finding) {
	more := map[int]int{} // of the findings that stay: how many are like it
	for _, f := range found {
		i := slices.IndexFunc(once, func(o Finding) bool {
			return o.Check == f.Check && o.Place == f.Place && o.State == f.State && o.Text == f.Text && o.Hint == f.Hint
		})
		if i < 0 {
			once = append(once, f)
		} else if once[i].About != f.About {
			more[i]++
		}
	}
	for i, n := range more {
		once[i].About += fmt.Sprintf(", and by other calls: %d", n)
	}
	return once
}

// unfollowed tells that not all calls of workflows were followed.
func unfollowed(j check.WorkflowJob) Finding {
	return Finding{
		Area: areaGitHub, Check: "workflows", About: "job " + j.Name, Place: j.Place.String(), State: Unseen,
		Text: fmt.Sprintf("its call of a workflow, and others, are not followed: at most %d are from one file, and %d in all", check.MostCalls, check.MostCallsInAll),
		Hint: "GitHub takes 50 workflows for one run: see which of them call each other",
	}
}

// A use is a permission of the workflow's token that a command uses.
type use struct {
	scope, level string
	spared       bool // without it the command does its work all the same, and says so
}

// uses are those of a command of kamal-op's with its options. What an expression names is
// taken for a deploy.
func uses(command string) []use {
	words := strings.Fields(command)
	name := words[0]
	all, locks := []use{{"contents", "read", false}}, use{"actions", "read", true}
	switch {
	case name == "review" && len(words) > 1 && slices.Contains([]string{"build", "list", "status"}, words[1]):
		all = append(all, use{"pull-requests", "read", false})
	case name == "review":
		all = append(all, locks, use{"deployments", "write", false}, use{"pull-requests", "write", false})
	case name == "comment":
		all = append(all, locks, use{"pull-requests", "write", false})
	case strings.Contains(name, "$"), slices.Contains([]string{"deploy", "setup", "redeploy", "rollback", "promote", "rotate", "freeze", "kamal"}, name):
		all = append(all, locks)
	}
	for option, needed := range map[string]use{
		"--" + check.ReviewHost: {"pull-requests", "read", true},
		"--issue":               {"issues", "write", false}, "--comment": {"pull-requests", "write", false}, "--" + check.GitHubEnvironment: {"deployments", "write", true},
	} {
		if slices.Contains(words, option) {
			all = append(all, needed)
		}
	}
	return all
}

// permissions is what a job lacks of them, or has beside them.
func permissions(j check.WorkflowJob) Finding {
	f := Finding{Area: areaGitHub, Check: "permissions", About: "job " + j.Name, Place: j.Place.String(), State: Notice}
	if j.Permissions == nil {
		f.Text = "no permissions are said: the repository's default decides what the token may do"
		f.Hint = "add permissions: to the job, with what docs/first-deploy.md has"
		return f
	}
	if j.Permissions["*"] == "write" {
		f.Text, f.Hint = "write-all: the token may change all of the repository", "name what is used alone"
		return f
	}
	level := map[string]int{"read": 1, "write": 2}
	missing := map[string]string{}
	commands := j.Commands
	if j.Asks != "" {
		commands = append(slices.Clone(commands), j.Asks)
	}
	for _, command := range commands {
		for _, u := range uses(command) {
			if max(level[j.Permissions[u.scope]], level[j.Permissions["*"]]) >= level[u.level] {
				continue
			}
			if level[u.level] > level[missing[u.scope]] {
				missing[u.scope] = u.level
			}
			if !u.spared || j.Asks != "" {
				f.State = Wrong // it does not do what it is there for
			}
		}
	}
	if len(missing) == 0 {
		f.State, f.Text = Well, "it has the permissions that "+strings.Join(j.Commands, ", ")+" uses"
		return f
	}
	var lines []string
	for scope, needed := range missing {
		lines = append(lines, scope+": "+needed)
	}
	slices.Sort(lines)
	f.Text = "permissions that " + strings.Join(j.Commands, ", ") + " uses are missing: " + strings.Join(lines, ", ")
	f.Hint = "add them under permissions: of the job"
	switch {
	case j.Asks != "":
		f.Text += ": GitHub does not start a workflow whose caller has fewer permissions than it asks for"
	case strings.Contains(j.Name, " / "):
		f.Hint += ", and of the one that calls its workflow"
	}
	return f
}

// handsToken is whether a job that calls a workflow of kamal-op's hands it a token.
func handsToken(j check.WorkflowJob) Finding {
	if j.Asks == "" || j.Token {
		return Finding{}
	}
	return Finding{
		Area: areaGitHub, Check: "token", About: "job " + j.Name, Place: j.Place.String(), State: Wrong,
		Text: "it hands the workflow that it calls no token of 1Password",
		Hint: "write under secrets: of the job: OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}",
	}
}

// unread tells of a workflow that another repository has.
func unread(j check.WorkflowJob) Finding {
	return Finding{
		Area: areaGitHub, Check: "workflows", About: "job " + j.Name, Place: j.Place.String(), State: Notice,
		Text: "it calls " + j.Unread + ", which is of another repository and is not read: what it deploys, and what its permissions and declarations are, is not known here",
		Hint: "run kamal-op doctor where that workflow is",
	}
}

// forkCode is whether a fork's code would run beside the secrets of a job. The commands
// comment and review ask GitHub themselves whose a pull request is.
func forkCode(j check.WorkflowJob) Finding {
	f := Finding{Area: areaGitHub, Check: "forks", About: "job " + j.Name, Place: j.Place.String()}
	on := func(event string) bool { return slices.Contains(j.Events, event) }
	blind := func(command string) bool {
		name, _, _ := strings.Cut(command, " ")
		return name != "comment" && name != "review"
	}
	switch {
	case j.Own:
		return Finding{}
	case on("pull_request_target") && j.Head:
		f.State, f.Text = Wrong, "it checks out what a fork brings, and runs it with the secrets (pull_request_target)"
	case on("issue_comment") && j.Head && slices.ContainsFunc(j.Commands, blind):
		f.State, f.Text = Wrong, "it checks out what a fork brings, and runs it with the secrets, for anybody's comment (issue_comment)"
		f.Hint = "take command: comment, which asks GitHub who has written it, and whose the pull request is"
		return f
	case on("pull_request_target"):
		f.State, f.Text = Notice, "pull_request_target starts it, with the secrets, for every fork's pull request"
	case on("workflow_run") && j.Head:
		f.State, f.Text = Notice, "it checks out the commit of the run before it, with the secrets: a fork's, where a pull request started that run"
		f.Hint = "add to its if: github.event.workflow_run.event == 'push'"
		return f
	default:
		return Finding{}
	}
	f.Hint = "take pull_request: forks get no secrets there"
	return f
}

// environments are how those are protected that jobs name.
func environments(ctx context.Context, jobs []check.WorkflowJob, client *github.Client) (found []Finding) {
	seen := map[string]bool{}
	for _, j := range jobs {
		if client == nil || j.Environment == "" || seen[j.Environment] {
			continue
		}
		seen[j.Environment] = true
		f := Finding{Area: areaGitHub, Check: "environments", About: "environment " + j.Environment, State: Notice, Hint: "Settings → Environments: let only your branch deploy to it, and keep the token among its secrets"}
		e, err := client.Environment(ctx, j.Environment)
		switch {
		case err != nil:
			found = append(found, problems(Finding{Area: areaGitHub, Check: "environments", State: Unseen}, err)...)
			continue
		case !e.There:
			f.Text = "it is not there: GitHub makes it when it is first used, without protection"
		case !e.Branches && e.Rules == 0:
			f.Text = "nothing protects it: a workflow of any branch gets its secrets"
		default:
			f.State, f.Hint = Well, ""
			f.Text = cmp.Or(map[bool]string{true: "only some branches may deploy to it"}[e.Branches], fmt.Sprintf("rules protect it: %d", e.Rules))
		}
		found = append(found, f)
	}
	return found
}

// forks are whether a fork's pull request may get the secrets: GitHub keeps them from it
// in a public repository, and in a private one as that is set, which only its
// administrators are told.
func forks(ctx context.Context, jobs []check.WorkflowJob, client *github.Client) []Finding {
	if client == nil || !slices.ContainsFunc(jobs, func(j check.WorkflowJob) bool { return slices.Contains(j.Events, "pull_request") }) {
		return nil
	}
	f := Finding{Area: areaGitHub, Check: "forks", State: Well, Text: "pull requests of forks get no secrets"}
	setting, err := client.Setting(ctx)
	switch {
	case err != nil:
		f.State = Unseen
		return problems(f, err)
	case setting.Private && setting.Forks:
		f.State, f.Text = Notice, "the repository is private and may be forked: whether pull requests of forks get its secrets is a setting"
		f.Hint = "Settings → Actions → General: leave \"Send secrets to workflows from pull requests\" off"
	}
	return []Finding{f}
}

// few is how many requests of GitHub's limit a run may need.
const few = 100

// CheckLimit looks how many requests GitHub still takes with the token.
func CheckLimit(client *github.Client) Check {
	c := Check{Area: areaGitHub, Name: "limit"}
	c.Look = func(ctx context.Context) []Finding {
		f := Finding{Area: areaGitHub, Check: "limit", State: Well}
		left, limit, err := client.Left(ctx)
		if err != nil {
			f.State = Unseen
			return problems(f, err)
		}
		f.Text = fmt.Sprintf("%d of %d requests of this hour are left", left, limit)
		if left < few {
			f.State, f.Hint = Notice, "what else uses this token uses them up: a run waits, or goes on without GitHub's answer"
		}
		return []Finding{f}
	}
	return c
}
