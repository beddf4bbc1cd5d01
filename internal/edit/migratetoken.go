package edit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// takeToken finds the token of the service account in the environment.
func (w *workflow) takeToken(job ast.Node, steps []workflowStep) {
	for _, env := range []ast.Node{yamlfile.Child(job, "env"), yamlfile.Child(w.root, "env")} {
		if v := yamlfile.Child(env, tokenVariable); v != nil && w.token == "" {
			w.token = scalarText(v)
		}
	}
	for _, s := range steps {
		if v, ok := s.Env[tokenVariable]; ok && w.token == "" {
			w.token = fmt.Sprint(v)
		}
	}
	if w.token == "" {
		w.token, w.newToken = "${{ secrets."+tokenVariable+" }}", !strings.Contains(w.text, "secrets."+tokenVariable)
	}
}

const tokenVariable = "OP_SERVICE_ACCOUNT_TOKEN"

// dropToken takes the token out of the job's environment, where no step of it
// could need it any more.
func (w *workflow) dropToken(job ast.Node) error {
	env := yamlfile.Child(job, "env")
	values := yamlfile.Pairs(env)
	for _, v := range values {
		if v.Key.String() != tokenVariable {
			continue
		}
		line := v.Key.GetToken().Position.Line - 1
		if w.isShared(job, "env") {
			w.plan.note("%s:%d: the token stays in the job's environment, which is an anchor or an alias", w.file, line+1)
			return nil
		}
		if w.keepsToken {
			w.plan.note("%s:%d: the token stays in the job's environment, for the steps that ask 1Password themselves", w.file, line+1)
			return nil
		}
		from := line
		if len(values) == 1 {
			for _, j := range yamlfile.Pairs(job) {
				if at := j.Key.GetToken().Position.Line - 1; j.Key.String() == "env" && at < line && strings.TrimSpace(strings.Join(w.lines[at+1:line], "")) == "" {
					from = at
				}
			}
		}
		if line >= len(w.lines) || !strings.HasPrefix(strings.TrimSpace(w.lines[line]), tokenVariable) || len(values) == 1 && from == line {
			w.plan.note("%s:%d: the token stays in the job's environment", w.file, line+1)
			return nil
		}
		w.lines = slices.Delete(w.lines, from, line+1)
		w.removed = append(w.removed, lineRange{from, line + 1})
	}
	return nil
}
