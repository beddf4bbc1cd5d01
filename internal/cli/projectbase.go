package cli

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// projectFile is the text of the project file that counts, and whether it is that of a
// pull request's base. In a pull request's workflow it always is, whatever the command
// is and in the post step as well: the head is what a stranger to the settings may have
// written. Where the base is not known there is none.
func (a *app) projectFile(dir, command string) (text []byte, bases bool, err error) {
	base, pull := a.pullRequest(command)
	if !pull {
		text, err = readSmall(filepath.Join(dir, projectfile.Name))
		return text, false, err
	}
	_, missing := os.Lstat(filepath.Join(dir, projectfile.Name))
	none := func(why string) ([]byte, bool, error) {
		if missing == nil {
			a.notices(projectfile.Name + " does not count: a pull request's is the one of its base, " + why)
		}
		return nil, true, fs.ErrNotExist
	}
	if base == "" {
		return none("which is not known here")
	}
	within := time.Minute
	if command == "post" {
		within = 10 * time.Second // a lock waits to be released
	}
	parent, _, stop := supervise.Notify(context.Background())
	defer stop()
	ctx, cancel := context.WithTimeout(parent, within)
	defer cancel()
	c := checkout{dir: dir, env: a.Env}
	text, there, err := c.file(ctx, base, repoPath(c.prefix(ctx), projectfile.Name))
	if err != nil {
		// Most workspaces are shallow: GitHub has the commit.
		repository, _, _ := a.lookup.value("repository")
		client, failed := a.githubClient(repository)
		if failed != nil {
			return nil, true, failed
		}
		if client == nil {
			return none("which is not in the workspace, and there is no token to ask GitHub with")
		}
		defer client.Close()
		text, there, err = client.File(ctx, repoPath(c.prefix(ctx), projectfile.Name), base)
		if signalled := context.Cause(parent); signalled != nil {
			return nil, true, signalled
		}
		// A project that has the file relies on it: what it pins is not to be lost in
		// an outage. One without it, and a lock that waits, can do without GitHub.
		if err != nil && (missing != nil || command == "post") {
			return none("which GitHub does not give: " + err.Error())
		}
	}
	if err == nil && !there {
		err = fs.ErrNotExist
	}
	return text, true, err
}

// A workflowEvent is what GitHub says of the event of a workflow, as far as it is one
// of a pull request's.
type workflowEvent struct {
	PullRequest *based `json:"pull_request"`
	Issue       struct {
		PullRequest *struct{} `json:"pull_request"`
	} `json:"issue"`
	MergeGroup *struct {
		BaseSHA string `json:"base_sha"`
	} `json:"merge_group"`
	WorkflowRun struct {
		Event        string  `json:"event"`
		PullRequests []based `json:"pull_requests"`
	} `json:"workflow_run"`
}

// based is a pull request with its base.
type based struct {
	Base struct {
		SHA string `json:"sha"`
	} `json:"base"`
}

// pullRequest tells whether the files here may be a pull request's, and of which commit
// they are a change, "" where that is not known.
func (a *app) pullRequest(command string) (base string, is bool) {
	name := a.env["GITHUB_EVENT_NAME"]
	var event workflowEvent
	if path := a.env["GITHUB_EVENT_PATH"]; path != "" {
		if text, err := os.ReadFile(path); err == nil {
			_ = json.Unmarshal(text, &event) // what is no event is none of a pull request's, but by its name
		}
	}
	words := append(strings.Fields(command), "", "")
	if words[0] == "post" { // whose inputs are the main step's
		if main, _, _ := (lookup{env: a.env, form: inputs}).value("command"); strings.TrimSpace(main) == "comment" {
			words[0] = "comment"
		}
	}
	switch {
	case event.PullRequest != nil:
		return event.PullRequest.Base.SHA, true
	case event.MergeGroup != nil:
		return event.MergeGroup.BaseSHA, true
	case strings.HasPrefix(event.WorkflowRun.Event, "pull_request"):
		if all := event.WorkflowRun.PullRequests; len(all) == 1 {
			base = all[0].Base.SHA
		}
		return base, true
	case event.Issue.PullRequest != nil && words[0] == "comment" && name == "issue_comment":
		// The commit of the workflow itself: that of the default branch, where whoever may
		// merge has a say. The pull request is for no other branch.
		return a.env["GITHUB_SHA"], true
	case event.Issue.PullRequest != nil, strings.HasPrefix(name, "pull_request"), name == "merge_group":
		return "", true
	case words[0] != "review":
		return "", false
	}
	// A review's deploy is one of a pull request, wherever it runs.
	return "", words[1] == "deploy" || words[1] == "build" ||
		words[1] == "event" && !slices.Contains([]string{"schedule", "push", "workflow_dispatch"}, name)
}
