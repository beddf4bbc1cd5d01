package edit

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// The actions that the one step takes the place of.
const (
	loadAction  = "1password/load-secrets-action"
	agentAction = "webfactory/ssh-agent"
)

var (
	callsOp    = lazy.Regexp(`\bop\s`)
	callsSSH   = lazy.Regexp("(?m)(^|[\\s;&|(`])(ssh|scp|sftp|rsync|git)\\s")
	callsKamal = lazy.Regexp("(?m)(^|[\\s;&|(`/])kamal\\s")
	// harmless are actions that read no variable of a project's.
	harmless = lazy.Regexp(`^(actions/(checkout|cache|setup-[\w-]+|upload-artifact|download-artifact)|docker/setup-[\w-]+|ruby/setup-ruby|1password/[\w/-]+)(@|$)`)
)

// isCLI tells whether a step gives others the op CLI or its token.
func isCLI(s workflowStep) bool {
	action, _, _ := strings.Cut(s.Uses, "@")
	return strings.HasPrefix(action, "1password/install-cli-action") || action == loadAction+"/configure"
}

func isKamalAlone(s workflowStep) bool { return s.Run != "" && onlyKamal().MatchString(s.Run) }

// stepNeeds is what the steps beside the one that deploys need of those that are
// there for it. What a script of the project calls is not known.
type stepNeeds struct{ op, ssh, kamal, scripts bool }

func needsOf(steps []workflowStep, deploying map[int]bool) stepNeeds {
	var n stepNeeds
	for i, s := range steps {
		if deploying[i] || isKamalAlone(s) {
			continue
		}
		kamal := callsKamal().MatchString(s.Run)
		_, ssh := s.With["ssh"] // of a build
		n.kamal = n.kamal || kamal
		n.scripts = n.scripts || s.Run != ""
		n.op = n.op || kamal || callsOp().MatchString(s.Run)
		n.ssh = n.ssh || kamal || ssh || callsSSH().MatchString(s.Run)
	}
	return n
}

// keepLoading lets a step that loads secrets stay where another that stays has
// its outputs, or may read the variables it exports: nothing in the workflow says
// which variables a script reads. deploy is the step that deploys, as it is to be.
func (w *workflow) keepLoading(steps []workflowStep, deploying, gone map[int]bool, deploy []string) {
	rest := strings.Builder{}
	from := w.within.from
	for i, s := range steps {
		if !deploying[i] && !gone[i] {
			continue
		}
		rest.WriteString(strings.Join(w.lines[from:s.from], ""))
		from = s.to
	}
	rest.WriteString(strings.Join(w.lines[from:w.within.to], "") + strings.Join(deploy, ""))
	kept := false
	for i, s := range steps {
		if action, _, _ := strings.Cut(s.Uses, "@"); action != loadAction {
			continue
		}
		read := s.ID != "" && readsStep(rest.String(), s.ID)
		if !read && fmt.Sprint(s.With["export-env"]) != "false" {
			for j, later := range steps[i+1:] {
				j += i + 1
				read = read || !deploying[j] && !gone[j] && (later.Run != "" || later.Uses != "" && !harmless().MatchString(later.Uses))
			}
		}
		if read {
			gone[i], kept = false, true
			w.plan.note("%s:%d: the step that loads secrets stays: other steps of the job may use what it loads", w.file, s.from+1)
		}
	}
	if !kept {
		return
	}
	w.keepsToken = true
	for i, s := range steps {
		if action, _, _ := strings.Cut(s.Uses, "@"); action == loadAction+"/configure" {
			gone[i] = false
		}
	}
}
