package cli

import (
	"context"
	"encoding/json"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// stateReview is the state by which a review's deploy leaves word for the action's
// post step, which ends on GitHub what a kill leaves "in progress".
const stateReview = "review"

// A leftReview is a deploy that has begun. No secret is in it.
type leftReview struct {
	Service     string `json:"service"` // production's
	Host        string `json:"host"`    // the template
	Destination string `json:"destination"`
	Number      int    `json:"number"`
	SHA         string `json:"sha"`
}

// leave leaves word that a deploy begins. Elsewhere than on GitHub there is no post
// step, and nothing to leave.
func (r *reviewing) leave(plan review.Plan) {
	p := r.review.Project
	text, err := json.Marshal(leftReview{Service: p.Service, Host: p.Host, Destination: p.Destination, Number: plan.Number, SHA: plan.SHA})
	if err != nil {
		panic(err) // it is made of texts and a number
	}
	leaveState(r.system, stateReview, string(text))
}

// endReview ends what a review's deploy that was killed has left unfinished on
// GitHub. state is what leave has left. What cannot be done is a warning: the post
// step's status says nothing of the deploy.
func (a *app) endReview(state string) {
	var left leftReview
	if err := json.Unmarshal([]byte(state), &left); err != nil {
		a.system.Warning(problem.New("what the step says of its preview is not understood", "look at the pull request's deployments"))
		return
	}
	a.Env = withoutUsersGitHubToken(a.Env) // the preview's deploy.yml is read with it
	if app, err := review.NewApp(left.Service, left.Host, left.Destination, left.Number, left.SHA); err == nil {
		a.reviewEnv = app.Env() // without it the project's deploy.yml cannot be read
	}
	ctx, cancel := context.WithTimeout(context.Background(), killedTime)
	defer cancel()
	repository, _, _ := a.lookup.value("repository")
	client, err := a.githubClient(repository)
	if err == nil && client != nil {
		defer client.Close()
		r := review.Review{GitHub: client, Run: workflowRun(a.env), Say: a.system.Info, Project: review.Project{
			Service: left.Service, Host: left.Host, Destination: left.Destination,
		}}
		err = r.EndKilled(ctx, review.Plan{Do: review.Deploy, Number: left.Number, SHA: left.SHA})
	}
	for _, p := range problem.Of(err) {
		a.system.Warning(p)
	}
}
