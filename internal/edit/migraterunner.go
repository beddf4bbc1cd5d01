package edit

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
)

// A step that runs on the runner has its programs, its home directory and what
// earlier steps put there. The action is a container: it has the workspace, the
// environment, and what is in its image.

func (w *workflow) notePinned(line int, version string) {
	if version = strings.Trim(version, "~> "); version != kamal.TestedVersion {
		w.plan.note("%s:%d: Kamal %s was installed here: kamal-op's image carries %s", w.file, line, version, kamal.TestedVersion)
	}
}

var (
	lockedKamal = lazy.Regexp(`(?m)^ {4}kamal \(([\w.]+)\)`)
	// What the files of SSH and the network are called in scripts.
	knownHosts    = lazy.Regexp(`known_hosts|ssh-keyscan`)
	sshConfig     = lazy.Regexp(`\.ssh/config\b|/etc/ssh/|ssh_config`)
	sshKeyFile    = lazy.Regexp(`\.ssh/(id_\w+|\w+\.pem|\w*key\w*)|\bssh-add\b|\bssh-agent\b`)
	registryLogin = lazy.Regexp(`\bdocker\s+login\b|\bgcloud\s+auth\s+configure-docker\b|\bdoctl\s+registry\s+login\b`)
	hostsFile     = lazy.Regexp(`/etc/(hosts|resolv\.conf)\b`)
)

// runnerHad tells what earlier steps leave on the runner, which the action's
// container does not have. Known hosts that stand in the workflow are taken along.
func (w *workflow) runnerHad(steps []workflowStep, deploying map[int]bool) {
	for i, s := range steps {
		if deploying[i] {
			continue
		}
		at := func(format string) { w.plan.note(format, w.file, s.from+1) }
		if known := s.With["known_hosts"]; known != nil && s.Uses != "" {
			w.takeHosts(scalarLines(known))
			at("%s:%d: the known hosts that this step writes are not in the action's container: they are the input host-keys now")
		}
		switch {
		case strings.Contains(s.Run, "ssh-keyscan"):
			at("%s:%d: ssh-keyscan takes whatever key answers: kamal-op has known hosts of its own for the run, give it the input host-keys (kamal-op host-keys prints them)")
		case knownHosts().MatchString(s.Run):
			if lines := w.writtenHosts(s); len(lines) > 0 {
				w.takeHosts(lines)
				at("%s:%d: the known hosts that this step writes are not in the action's container: they are the input host-keys now")
			} else {
				at("%s:%d: the known hosts that this step writes are not in the action's container: give it the input host-keys (kamal-op host-keys prints them)")
			}
		}
		if sshConfig().MatchString(s.Run) || s.With["config"] != nil && strings.Contains(s.Uses, "ssh") {
			at("%s:%d: the SSH configuration that this step writes (a ProxyCommand, names of hosts) is not in the action's container: say it in deploy.yml, under ssh: proxy, proxy_command, config")
		}
		if _, agent := w.agents[i]; !agent && sshKeyFile().MatchString(s.Run) || s.With["key"] != nil && strings.Contains(s.Uses, "ssh") {
			at("%s:%d: the SSH key that this step puts in place is not in the action's container: the input ssh-key takes one from 1Password (--ssh-key op://Vault/Server)")
		}
		if action, _, _ := strings.Cut(s.Uses, "@"); registryLogin().MatchString(s.Run) || action == "docker/login-action" || strings.HasSuffix(action, "/amazon-ecr-login") {
			at("%s:%d: the login of this step is not in the action's container: Kamal logs in to the registry of deploy.yml by itself, and a private image that the Dockerfile builds on needs a docker login in the hook pre-build")
		}
		if hostsFile().MatchString(s.Run) {
			at("%s:%d: the names of hosts that this step adds are not in the action's container: name the servers by their addresses in deploy.yml")
		}
	}
}

func scalarLines(value any) []string {
	text, _ := value.(string)
	return strings.Split(strings.TrimSpace(text), "\n")
}

func (w *workflow) takeHosts(lines []string) {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(w.hostKeys, line) {
			w.hostKeys = append(w.hostKeys, line)
		}
	}
}

// writtenHosts are the lines that a script writes into known_hosts, where it says
// them itself: echo "…" >> ~/.ssh/known_hosts.
func (w *workflow) writtenHosts(s workflowStep) []string {
	script := parseScript(s.Run)
	if script.why != nil {
		return nil
	}
	var lines []string
	whole := true
	read := &scriptReader{script: script, values: map[string]string{}, lookup: func(name string) (string, error) { return w.value(s, nil, name) }}
	syntax.Walk(script.file, func(n syntax.Node) bool {
		stmt, ok := n.(*syntax.Stmt)
		if !ok {
			return true
		}
		for _, redirect := range stmt.Redirs {
			if redirect.Word == nil || !strings.Contains(wordText(redirect.Word), "known_hosts") {
				continue
			}
			call, ok := stmt.Cmd.(*syntax.CallExpr)
			if !ok || len(call.Args) != 2 || wordText(call.Args[0]) != "echo" {
				whole = false
				continue
			}
			word, err := read.word(call.Args[1])
			if err != nil {
				whole = false
				continue
			}
			lines = append(lines, strings.Split(script.show(word.value), "\n")...)
		}
		return true
	})
	if !whole {
		return nil
	}
	return lines
}
