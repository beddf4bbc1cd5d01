package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/comment"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// commentCommand is `kamal-op comment`: what somebody asks for in a comment on a pull
// request, where the project allows it.
type commentCommand struct {
	vaultFlags
	configFileFlag
	kamalFlag
	directoryFlag
	envFlag
	lockFlags
	checkFlag
	hostKeysFlag
	checkHostsFlag
	opScopeFlag
	exactFlag
	broker.Choices
	timeFlags
	logFlags
	noiseFlags
	gitHubEnvironmentFlag
	DeployByComment lines `name:"deploy-by-comment" placeholder:"NAME[=DESTINATION]" help:"What the comments /plan NAME and /deploy NAME on a pull request are for: a destination, or NAME= for Kamal's configuration without one. Repeatable." file:"yes"`
}

// lastAnswer is how long GitHub may be told the end of a run that was cancelled.
const lastAnswer = 3 * time.Second

// A commented is one run of the command.
type commented struct {
	*app
	flags   deployCommand // by the options that hold for the destination
	tells   gitHubEnvironmentFlag
	request comment.Request
	id      int64
	client  *github.Client
	began   time.Time
	config  string // the configuration's path in the repository, where it is not the usual one
}

// Run does what the comment asks for. What is decided comes before Kamal is looked for,
// 1Password asked or anything of the project read: all of it is the pull request's.
func (c commentCommand) Run(a *app) error {
	if err := a.show(c.logFlags, c.WorkingDirectory, true); err != nil {
		return err
	}
	rules, err := c.rules(a)
	if err != nil {
		return err
	}
	event, err := a.event("write the comment, and let the workflow's issue_comment event run this")
	if err != nil {
		return err
	}
	if event.Comment == nil {
		return problem.Usagef("run it on: issue_comment", "a comment on a pull request is carried out, and the event %q is none", event.Name)
	}
	client, err := a.githubClient("")
	if err != nil {
		return err
	}
	if client == nil {
		return noGitHub()
	}
	defer client.Close()
	ctx, signals, stop := c.context(a)
	defer stop()
	r := commented{app: a, id: event.Comment.ID, client: client, began: time.Now()}
	if path := a.configPath(c.ConfigFile); path != kamal.DefaultConfigFile {
		r.config = path // several services may answer one comment, each in its own
	}
	if r.request, err = rules.Decide(ctx, event, client); err != nil {
		return err
	}
	if r.request.Reaction != "" {
		r.untold(client.React(ctx, r.id, r.request.Reaction))
	}
	if r.request.Do == comment.Nothing {
		a.system.Info(fmt.Sprintf("skipped: %s (pull request %d)", r.request.Why, r.request.Number))
		if r.request.Reaction == comment.Unclear {
			r.answer(ctx, comment.Answer{Title: "Nothing was done: " + comment.Code(r.request.Why)})
		}
		return nil
	}
	return r.carry(ctx, a.process(signals))
}

// rules are what comments may ask for.
func (c commentCommand) rules(a *app) (comment.Rules, error) {
	rules := comment.Rules{Attempt: workflowRun(a.env).Attempt}
	var problems problem.List
	for _, l := range c.DeployByComment {
		t, err := comment.ParseTarget(l.text)
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		rules.Targets = append(rules.Targets, t)
	}
	for _, option := range []string{"destination", "version", "hosts", "roles"} { // as an input, or in the environment
		if _, origin, given := a.lookup.value(option); given {
			problems = append(problems, problem.Usagef("leave it out", "%s is not for comments: what is deployed is the pull request's head, where the comment says", origin))
		}
	}
	if len(problems) == 0 && len(rules.Targets) == 0 {
		return rules, problem.Usagef("write deploy-by-comment: production into .kamal/kamal-op.yml, on the default branch", "nothing may be deployed by comment: --deploy-by-comment is not given").About(problem.ByComment)
	}
	return rules, problems.Err()
}

// deploy is the command that a comment asks for, for a destination.
func (c commentCommand) deploy(destination string) deployCommand {
	return deployCommand{
		vaultFlags: c.vaultFlags, timeFlags: c.timeFlags, logFlags: c.logFlags, noiseFlags: c.noiseFlags,
		projectFlags: projectFlags{
			destinationFlag: destinationFlag{destination}, configFileFlag: c.configFileFlag, kamalFlag: c.kamalFlag, directoryFlag: c.directoryFlag,
			envFlag: c.envFlag, lockFlags: c.lockFlags, checkFlag: c.checkFlag, hostKeysFlag: c.hostKeysFlag, checkHostsFlag: c.checkHostsFlag,
			opScopeFlag: c.opScopeFlag, exactFlag: c.exactFlag, Choices: c.Choices,
		},
	}
}

// carry carries the request out, in a workspace that holds the commit and no other.
func (r commented) carry(ctx context.Context, p deploy.Process) error {
	r.system.Info(fmt.Sprintf("%s of pull request %d, by comment of %s", r.request.Line(), r.request.Number, comment.Line(r.request.By, 80)))
	g, err := r.again(r.request.Target.Destination)
	if err != nil {
		return r.ended(ctx, problem.Usage, err)
	}
	r.flags, r.tells = g.Comment.deploy(r.request.Target.Destination), g.Comment.gitHubEnvironmentFlag
	c := checkout{dir: r.dir, env: r.Env}
	if held := c.head(ctx); held != r.request.SHA {
		return r.ended(ctx, problem.Found, &problem.Problem{
			Message: fmt.Sprintf("the workspace does not hold the head of pull request %d", r.request.Number),
			Details: []string{"its head is " + r.request.SHA},
			Hint:    fmt.Sprintf("check out refs/pull/%d/head (actions/checkout with `ref:`), and comment again", r.request.Number), Status: problem.Found,
		})
	}
	r.keepFromHead(ctx, c, r.env["GITHUB_SHA"], r.client, kamal.ProjectOptions{ConfigFile: r.flags.ConfigFile, Destination: r.flags.Destination})
	p.Env = r.Env
	if r.request.Do == comment.Plan {
		return r.plan(ctx, p)
	}
	return r.deploy(ctx, p)
}

// plan answers with what a deploy would change.
func (r commented) plan(ctx context.Context, p deploy.Process) error {
	f := r.flags
	c := planCommand{
		vaultFlags: f.vaultFlags, destinationFlag: f.destinationFlag, configFileFlag: f.configFileFlag, kamalFlag: f.kamalFlag,
		envFlag: f.envFlag, hostKeysFlag: f.hostKeysFlag, opScopeFlag: f.opScopeFlag, exactFlag: f.exactFlag,
	}
	found, err := c.ask(ctx, r.app, p)
	if err != nil {
		return r.ended(ctx, problem.Status(err), err)
	}
	text := found.Text(false)
	r.answer(ctx, comment.Answer{Title: planTitle(found, r.flags.Destination), Text: text, SHA: r.request.SHA})
	if err := r.report(text); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	if len(found.Unreached) > 0 {
		return exitStatus(problem.Partial)
	}
	return nil
}

// deploy deploys the pull request's head, and answers how it ended.
func (r commented) deploy(ctx context.Context, p deploy.Process) error {
	more, err := r.hush(r.flags.noiseFlags, false)
	if err != nil {
		return r.ended(ctx, problem.Usage, err)
	}
	j, err := r.flags.filled(r.app, deploy.Job{Args: r.flags.args(r.app, "deploy", more), Builds: true}, true)
	if err != nil {
		return r.ended(ctx, problem.Status(err), err)
	}
	p.Env = r.Env // with what --env says
	j.Process = p
	if version := kamal.DeclaredVersion(j.Args, r.env); version != "" {
		return r.ended(ctx, problem.Usage, problem.Usagef("leave VERSION out of the environment and of --env", "VERSION is not for comments: what is deployed is the pull request's head"))
	}
	if j.Deployment, err = r.deployment(ctx, r.tells, j, ""); err != nil {
		return r.ended(ctx, problem.Status(err), err)
	}
	defer j.Deployment.Close()
	r.answer(ctx, comment.Answer{Title: comment.Code(r.request.Line()) + " is under way", SHA: r.request.SHA})
	status, err := j.Run(ctx)
	if err != nil && status == problem.Done {
		status = problem.Partial
	}
	return r.ended(ctx, status, err)
}

// ended answers how the run ended, and tells it in the log.
func (r commented) ended(ctx context.Context, status int, err error) error {
	if s, cancelled := r.cancelled(err); cancelled && status != problem.Done {
		status, err = s, uncancelled(err)
	}
	err = r.explainConnect(err)
	a := comment.Answer{Title: comment.Code(r.request.Line()) + " is done", SHA: r.request.SHA, Problems: problem.Of(r.gate.Error(err))}
	switch {
	case deploy.Cancelled(ctx, status):
		a.Title = comment.Code(r.request.Line()) + " was cancelled"
	case status != problem.Done:
		a.Title = fmt.Sprintf("%s failed with %d", comment.Code(r.request.Line()), status)
	}
	r.answer(ctx, a)
	return r.app.ended(status, err, "comment")
}

// answer keeps the one comment of a command and its target.
func (r commented) answer(ctx context.Context, a comment.Answer) {
	ctx, done := answering(ctx)
	defer done()
	run := workflowRun(r.env)
	a.RunURL, a.At, a.Took = run.URL, time.Now(), time.Since(r.began)
	of := r.request.Target.Name
	if r.config != "" {
		of = strings.TrimSuffix(r.config+":"+of, ":")
		a.Title += " (" + comment.Code(r.config) + ")"
	}
	r.untold(r.keepComment(ctx, r.client, r.request.Number, commentMarker(string(r.request.Do), of), a))
}

// answering is the context of an answer: that of the run or, where it has ended, a little
// longer, since what stands there would be taken for what is so.
func answering(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), lastAnswer)
}

// untold warns of what GitHub was not told: the deploy is as it is.
func (a *app) untold(err error) {
	for _, p := range problem.Of(err) {
		a.system.Warning(p)
	}
}

// notOfMarkers is what no marker may have.
var notOfMarkers = lazy.Regexp(`[^A-Za-z0-9:_./-]`)

// commentMarker is what the one comment of a kind is known by.
func commentMarker(kind, name string) github.Marker {
	marker := "kamal-op:comment"
	for _, part := range []string{kind, name} {
		if part != "" {
			marker += ":" + part
		}
	}
	return github.Marker(notOfMarkers().ReplaceAllString(marker, "_"))
}

// keepComment keeps the one comment that a pull request has under a marker.
func (a *app) keepComment(ctx context.Context, client *github.Client, number int, m github.Marker, answer comment.Answer) error {
	text := answer.Body()
	_, err := client.Comment(ctx, number, m, func(string) (string, bool) { return text, true })
	var denied *github.DeniedError
	if errors.As(err, &denied) {
		for _, p := range problem.Of(err) {
			p.Message = "the comment was not written: " + p.Message
		}
	}
	return err
}
