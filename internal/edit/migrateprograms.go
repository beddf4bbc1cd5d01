package edit

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
)

// inImage are the programs that the action's image has beside those of a shell:
// Kamal's official image is Alpine with Ruby, git, the docker CLI and OpenSSH.
var inImage = strings.Fields(`kamal op kamal-op kamal-proxy git docker ssh scp sftp ssh-add ssh-agent ssh-keygen ssh-keyscan
	ruby gem irb rake make gcc cc
	[ [[ test true false : . source echo printf cd pwd set unset export exit return read eval exec command type trap local shift wait kill
	sh ash env cat tac head tail cut tr sed awk grep egrep fgrep sort uniq wc tee xargs find ls cp mv rm rmdir mkdir mktemp touch ln chmod
	chown stat du df date sleep timeout time nice nohup basename dirname realpath readlink id whoami hostname uname which base64 md5sum
	sha1sum sha256sum sha512sum hexdump od xxd tar gzip gunzip zcat bunzip2 unzip wget nc ping nslookup ps pgrep pkill top seq yes expr
	diff cmp patch dd vi less more stty tty getopt logger sync umask alias unalias hash jobs bg fg times ulimit getopts let`)

// withRuby are the libraries that come with Ruby, or with Kamal.
var withRuby = strings.Fields(`English active_support base64 benchmark bigdecimal bundler cgi concurrent csv date delegate digest dotenv ed25519 erb etc
	fileutils find forwardable io ipaddr json kamal logger monitor net open-uri open3 openssl optparse ostruct pathname pp psych rbconfig resolv
	rubygems securerandom set shellwords singleton socket sshkit stringio strscan tempfile thor time timeout tmpdir tsort uri weakref yaml zeitwerk zlib`)

// adapterPrograms are what Kamal's adapters call.
var adapterPrograms = map[string]string{
	"bitwarden": "bw", "bitwarden-sm": "bws", "bitwarden_secrets_manager": "bws", "bitwarden_sm": "bws", "lastpass": "lpass", "last_pass": "lpass",
	"aws_secrets_manager": "aws", "aws-secrets-manager": "aws", "gcp": "gcloud", "gcp_secret_manager": "gcloud", "doppler": "doppler",
	"enpass": "enpass-cli", "passbolt": "passbolt",
}

var (
	rubyCommand = lazy.Regexp("`([^`]+)`|%x[({\\[]([^)}\\]]+)|\\b(?:system|spawn|popen|capture[23]e?)[ (]+[\"']([^\"']+)")
	// rubyLoads is what code of Ruby's loads: a gem, or a file of the project.
	rubyLoads = lazy.Regexp(`\brequire(_relative)?[ (]+["']([^"']+)["']|\b(Rails)\.(?:application|root)\b|\b(Bundler)\.`)
	// What deploy.yml itself has Kamal start.
	proxyCommand = lazy.Regexp(`(?m)^[ \t]+proxy_command:[ \t]*["']?([^\s"'#<]+)`)
	buildpack    = lazy.Regexp(`(?m)^[ \t]+pack:[ \t]*(?:$|#|\{)`)
	shebang      = lazy.Regexp(`^#!\s*(?:/usr/bin/env\s+(?:-S\s+)?)?(\S+)`)
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
		w.plan.note("%s:%d: Gemfile.lock has Kamal %s: kamal-op's image carries %s, and the project's gems are not in it", w.file, line, m[1], kamal.TestedVersion)
	} else if strings.Contains(run, "bundle exec") {
		w.plan.note("%s:%d: the project's gems are not in kamal-op's image: it runs its own Kamal %s", w.file, line, kamal.TestedVersion)
	}
	called := programsMissing(dir)
	for _, program := range sortedKeys(called) {
		w.plan.todo(Todo{Do: "bring-program", Text: called[program] + " calls " + program +
			", which the runner has and kamal-op's image has not: take what it gives from 1Password, or leave this job as it is"})
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
func programsMissing(dir string) map[string]string {
	text := textsIn(dir)
	names := func(pattern string) []string {
		found, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		for i, name := range found {
			rel, _ := filepath.Rel(dir, name)
			found[i] = filepath.ToSlash(rel)
		}
		return found
	}
	called := &missingPrograms{called: map[string]string{}, read: map[string]bool{}, text: text}
	secrets, hooks := kamal.DefaultSecretsPath, ".kamal/hooks"
	for _, name := range names("config/deploy*.yml") {
		config := text(name)
		called.inERB(name, config)
		if m := proxyCommand().FindStringSubmatch(config); m != nil {
			called.add(name, m[1])
		}
		if buildpack().MatchString(config) {
			called.add(name, "pack")
		}
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
			called.inScript(name)
		}
	}
	return called.called
}

// missingPrograms are programs that the image lacks, each with a place that calls it.
type missingPrograms struct {
	called map[string]string
	read   map[string]bool // scripts that were looked at
	text   func(name string) string
}

func (m *missingPrograms) add(place string, programs ...string) {
	for _, p := range programs {
		if strings.Contains(p, "/") && !strings.HasPrefix(p, "/usr/") && !strings.HasPrefix(p, "/bin/") {
			continue // of the project
		}
		p = path.Base(p)
		if _, told := m.called[p]; !told && !slices.Contains(inImage, p) {
			m.called[p] = place
		}
	}
}

func (m *missingPrograms) inSecrets(f *kamal.SecretsFile) {
	for _, d := range f.Definitions {
		for _, p := range d.Parts {
			if p.Kind == kamal.Literal || p.Kind == kamal.PassThrough {
				continue
			}
			if program := adapterPrograms[strings.ToLower(p.Adapter)]; program != "" {
				m.add(p.Place.String(), program)
			}
			m.inShell(p.Place.String(), p.Text)
		}
	}
}

// inShell takes what a command, or a script, of a shell calls: programs, and scripts of
// the project.
func (m *missingPrograms) inShell(place, code string) {
	for _, name := range calls(code) {
		own := strings.TrimPrefix(name, "./")
		switch {
		case name == "bundle" || ofRails().MatchString(name):
			m.gem(place, name)
		case strings.Contains(own, "/") && !path.IsAbs(own) && m.text(own) != "":
			m.inScript(own)
		default:
			m.add(place, name)
		}
	}
}

// ofRails are programs that load the whole application.
var ofRails = lazy.Regexp(`^(?:(?:\./)?bin/)?(?:rails|rake)$`)

// inScript takes what a script of the project calls, and what runs it.
func (m *missingPrograms) inScript(name string) {
	if m.read[name] {
		return
	}
	m.read[name] = true
	interpreter, code := "sh", m.text(name)
	if s := shebang().FindStringSubmatch(code); s != nil {
		interpreter = path.Base(s[1])
	}
	m.add(name+":1", interpreter)
	switch interpreter {
	case "sh", "ash", "bash", "dash", "zsh":
		m.inShell(name, code)
	case "ruby":
		m.inRuby(name, code)
	}
}

// gem notes what loads gems of the project.
func (m *missingPrograms) gem(place, what string) {
	if key := "the project's gems (" + what + ")"; m.called[key] == "" {
		m.called[key] = place
	}
}

func (m *missingPrograms) inERB(name, text string) {
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

func (m *missingPrograms) inRuby(name, code string) {
	for _, l := range rubyLoads().FindAllStringSubmatch(code, -1) {
		switch loads, _, _ := strings.Cut(l[2], "/"); {
		case l[1] != "" && strings.HasSuffix(l[2], "config/environment"), l[1] != "" && strings.HasSuffix(l[2], "config/application"):
			m.gem(name, "config/"+path.Base(l[2]))
		case l[1] != "": // a file of the project's
		case l[3]+l[4] != "":
			m.gem(name, l[3]+l[4])
		case !slices.Contains(withRuby, loads):
			m.gem(name, l[2])
		}
	}
	for _, c := range rubyCommand().FindAllStringSubmatch(code, -1) {
		m.add(name, calls(c[1]+c[2]+c[3])...)
	}
}
