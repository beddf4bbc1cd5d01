package edit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// takeToken finds the token of the service account, or what reads from a Connect server:
// in the environment, or in a step that hands it to the others.
func (w *workflow) takeToken(job ast.Node, steps []workflowStep) {
	w.connect = connectServer{}
	given := false
	for _, env := range []ast.Node{yamlfile.Child(job, "env"), yamlfile.Child(w.root, "env")} {
		if v := yamlfile.Child(env, tokenVariable); v != nil {
			w.token, given = orElse(w.token, scalarText(v)), true
		}
		w.connect.inJob = w.connect.inJob || yamlfile.Child(env, connectToken) != nil
	}
	for _, s := range steps {
		with := s.With
		if action, _, _ := strings.Cut(s.Uses, "@"); action != loadAction+"/configure" {
			with = nil
		}
		w.token = orElse(w.token, orElse(textOf(s.Env[tokenVariable]), textOf(with["service-account-token"])))
		if host, token := orElse(textOf(s.Env[connectHost]), textOf(with["connect-host"])), orElse(textOf(s.Env[connectToken]), textOf(with["connect-token"])); host+token != "" {
			if given {
				w.plan.note("%s:%d: the Connect server of this step is left out: the job has the token of a service account, which kamal-op reads with", w.file, s.from+1)
				continue
			}
			w.connect.host, w.connect.token = orElse(w.connect.host, host), orElse(w.connect.token, token)
		}
	}
	switch {
	case w.connect.inJob, w.connect.token != "":
		w.token = "" // Connect counts where there are both
	case w.token == "":
		w.token, w.newToken = "${{ secrets."+tokenVariable+" }}", !strings.Contains(w.text, "secrets."+tokenVariable)
	}
}

// A connectServer is what reads from a Connect server: as steps have it, and whether the
// environment of the job or the workflow has its token.
type connectServer struct {
	host, token string
	inJob       bool
}

// textOf is a value of a step's mapping, "" where it is not there.
func textOf(value any) string {
	if value == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(value))
}

// credentials gives those inputs that a step needs beside its environment.
func (w *workflow) credentials(s workflowStep, put func(name, value string)) {
	has := func(name string) bool {
		return slices.ContainsFunc([]ast.Node{yamlfile.Child(s.node, "env"), yamlfile.Child(w.job, "env"), yamlfile.Child(w.root, "env")}, func(env ast.Node) bool {
			return yamlfile.Child(env, name) != nil
		})
	}
	if !has(connectHost) {
		put("connect-host", w.connect.host)
	}
	if !has(connectToken) {
		put("connect-token", w.connect.token)
	}
	put("service-account-token", strings.TrimSpace(w.token))
	if w.newToken {
		w.plan.todo(setToken(GitHub, w.vaults()...))
	}
}

const (
	connectHost  = "OP_CONNECT_HOST"
	connectToken = "OP_CONNECT_TOKEN"
)

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
