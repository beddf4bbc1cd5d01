package edit

import (
	"path"
	"path/filepath"
	"regexp"
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
		w.plan.note("%s:%d: Kamal %s was installed here: the action's image carries %s", w.file, line, version, kamal.TestedVersion)
	}
}

var (
	lockedKamal = lazy.Regexp(`(?m)^ {4}kamal \(([\w.]+)\)`)
	// What the files of SSH and the network are called in scripts.
	knownHosts = lazy.Regexp(`known_hosts|ssh-keyscan`)
	sshConfig  = lazy.Regexp(`\.ssh/config\b|/etc/ssh/|ssh_config`)
	sshKeyFile = lazy.Regexp(`\.ssh/(id_\w+|\w+\.pem|\w*key\w*)|\bssh-add\b|\bssh-agent\b`)
	hostsFile  = lazy.Regexp(`/etc/(hosts|resolv\.conf)\b`)
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

// inImage are the programs that the action's image has beside those of a shell:
// Kamal's official image is Alpine with Ruby, git, the docker CLI and OpenSSH.
var inImage = strings.Fields(`kamal op kamal-op kamal-proxy git docker ssh scp sftp ssh-add ssh-agent ssh-keygen ssh-keyscan
	ruby gem irb rake make gcc cc
	[ [[ test true false : . source echo printf cd pwd set unset export exit return read eval exec command type trap local shift wait kill
	sh ash env cat tac head tail cut tr sed awk grep egrep fgrep sort uniq wc tee xargs find ls cp mv rm rmdir mkdir mktemp touch ln chmod
	chown stat du df date sleep timeout time nice nohup basename dirname realpath readlink id whoami hostname uname which base64 md5sum
	sha1sum sha256sum sha512sum hexdump od xxd tar gzip gunzip zcat bunzip2 unzip wget nc ping nslookup ps pgrep pkill top seq yes expr
	diff cmp patch dd vi less more stty tty getopt logger sync umask alias unalias hash jobs bg fg times ulimit getopts let`)

// adapterPrograms are what Kamal's adapters call.
var adapterPrograms = map[string]string{
	"bitwarden": "bw", "bitwarden-sm": "bws", "bitwarden_secrets_manager": "bws", "bitwarden_sm": "bws", "lastpass": "lpass", "last_pass": "lpass",
	"aws_secrets_manager": "aws", "aws-secrets-manager": "aws", "gcp": "gcloud", "gcp_secret_manager": "gcloud", "doppler": "doppler",
	"enpass": "enpass-cli", "passbolt": "passbolt",
}

var (
	rubyCommand = lazy.Regexp("`([^`]+)`|%x[({\\[]([^)}\\]]+)|\\b(?:system|spawn|popen|capture[23]e?)[ (]+[\"']([^\"']+)")
	shebang     = lazy.Regexp(`^#!\s*(?:/usr/bin/env\s+(?:-S\s+)?)?(\S+)`)
)

// noteProject tells which programs the project calls in a deploy that the action's
// image lacks, and which Kamal it had.
func (w *workflow) noteProject(line int, directory, run string) {
	dir := filepath.Join(w.tree.top, filepath.FromSlash(directory))
	if strings.Contains(directory, "${{") {
		dir = w.tree.dir
	}
	text := textsIn(dir)
	if m := lockedKamal().FindStringSubmatch(text("Gemfile.lock")); m != nil && m[1] != kamal.TestedVersion {
		w.plan.note("%s:%d: Gemfile.lock has Kamal %s: the action's image carries %s, and the project's gems are not in it", w.file, line, m[1], kamal.TestedVersion)
	} else if strings.Contains(run, "bundle exec") {
		w.plan.note("%s:%d: the project's gems are not in the action's image: it runs its own Kamal %s", w.file, line, kamal.TestedVersion)
	}
	called := programsMissing(dir)
	for _, program := range sortedKeys(called) {
		w.plan.todo(Todo{Do: "bring-program", Text: called[program] + " calls " + program +
			", which the runner has and the action's image has not: take what it gives from 1Password, or leave this job as it is"})
	}
}

// textsIn reads the files of a project, "" for what cannot be read.
func textsIn(dir string) func(name string) string {
	t := newTree(dir)
	return func(name string) string {
		f, err := t.read(name)
		if err != nil || f.opaque {
			return ""
		}
		return f.text
	}
}

// programsMissing are the programs that a project calls in a deploy and that the
// action's image lacks.
func programsMissing(dir string) missingPrograms {
	text := textsIn(dir)
	names := func(pattern string) []string {
		found, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		for i, name := range found {
			rel, _ := filepath.Rel(dir, name)
			found[i] = filepath.ToSlash(rel)
		}
		return found
	}
	called := missingPrograms{}
	secrets, hooks := kamal.DefaultSecretsPath, ".kamal/hooks"
	for _, name := range names("config/deploy*.yml") {
		config := text(name)
		called.inERB(name, config)
		if m := regexp.MustCompile(`(?m)^secrets_path:\s*["']?([^\s"'#]+)`).FindStringSubmatch(config); m != nil {
			secrets = m[1]
		}
		if m := regexp.MustCompile(`(?m)^hooks_path:\s*["']?([^\s"'#]+)`).FindStringSubmatch(config); m != nil {
			hooks = m[1]
		}
	}
	for _, name := range names(secrets + "*") {
		called.inSecrets(kamal.ParseSecrets(name, text(name), nil))
	}
	for _, name := range names(hooks + "/*") {
		if path.Ext(name) == "" {
			called.inHook(name, text(name))
		}
	}
	return called
}

// missingPrograms are programs that the image lacks, each with a place that calls it.
type missingPrograms map[string]string

func (m missingPrograms) add(place string, programs ...string) {
	for _, p := range programs {
		if strings.Contains(p, "/") && !strings.HasPrefix(p, "/usr/") && !strings.HasPrefix(p, "/bin/") {
			continue // of the project
		}
		p = path.Base(p)
		if _, told := m[p]; !told && !slices.Contains(inImage, p) {
			m[p] = place
		}
	}
}

func (m missingPrograms) inSecrets(f *kamal.SecretsFile) {
	for _, d := range f.Definitions {
		for _, p := range d.Parts {
			if p.Kind == kamal.Literal || p.Kind == kamal.PassThrough {
				continue
			}
			if program := adapterPrograms[strings.ToLower(p.Adapter)]; program != "" {
				m.add(p.Place.String(), program)
			}
			m.add(p.Place.String(), calls(p.Text)...)
		}
	}
}

func (m missingPrograms) inHook(name, text string) {
	interpreter := "sh"
	if s := shebang().FindStringSubmatch(text); s != nil {
		interpreter = path.Base(s[1])
	}
	m.add(name+":1", interpreter)
	switch interpreter {
	case "sh", "ash", "bash", "dash", "zsh":
		m.add(name, calls(text)...)
	case "ruby":
		m.inRuby(name, text)
	}
}

func (m missingPrograms) inERB(name, text string) {
	for rest := text; ; {
		start := strings.Index(rest, "<%")
		if start < 0 {
			return
		}
		end := strings.Index(rest[start:], "%>")
		if end < 0 {
			return
		}
		m.inRuby(name, rest[start:start+end])
		rest = rest[start+end:]
	}
}

func (m missingPrograms) inRuby(name, code string) {
	for _, c := range rubyCommand().FindAllStringSubmatch(code, -1) {
		m.add(name, calls(c[1]+c[2]+c[3])...)
	}
}
