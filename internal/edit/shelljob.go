package edit

import (
	"errors"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// A job of GitLab's or CircleCI's runs a shell before kamal-op as it did before Kamal:
// what it exports, writes and decides stays. What goes is what brings Kamal, Ruby and an
// agent, since the job runs in an image that has them.

// A fate is what becomes of a statement.
type fate int

const (
	stays   fate = iota
	goes         // kamal-op has it, or does it
	forSSH       // mkdir ~/.ssh: it goes where nothing that stays has a use for it
	unclear      // it is both
)

// A shellJob is what the commands of one job come to, in the order in which they run.
type shellJob struct {
	*workflow

	ci      CI
	entries []*jobEntry
	agent   *agentReader

	added    []string // NAME=reference, of what op read gave
	hostKeys string   // the variable that known_hosts was written from
	pinned   string   // version of Kamal that was installed
	opRun    bool     // op run gave references their values
	opFiles  []string // what op was downloaded as
	keyFrom  string   // what a key that is none of 1Password's comes from
	keyLine  int      // counted from 1
	keys     []string // references
	hasKey   bool     // kamal-op is given one
	err      error    // the first that a statement cannot be understood for
}

var (
	packageManagers = []string{"apt-get", "apt", "aptitude", "yum", "dnf", "microdnf", "apt-mark"}
	// inKamalImage are packages of Alpine that Kamal's image has.
	inKamalImage = strings.Fields(`openssh openssh-client openssh-client-default openssh-keygen git ruby ruby-dev ruby-full ruby-bundler build-base make gcc musl-dev libc-dev
		libffi-dev yaml-dev docker docker-cli docker-cli-buildx docker-buildx ca-certificates tzdata linux-headers`)

	getDocker = lazy.Regexp(`https://get\.docker\.com\b`)
	keyFile   = lazy.Regexp(`\.ssh/(id_\w+|[\w.-]*key[\w.-]*|[\w-]+\.pem)`)
	// fromVariable is what a variable alone is written into a file as.
	fromVariable = lazy.Regexp(`^(?:echo|printf '%s\\n')(?: -e)? "?\$\{?(\w+)\}?"? ?>>? ?\S*known_hosts"?$`)
	ofSSHFolder  = lazy.Regexp(`\.ssh\b`)
	// ownHosts are the files that ssh takes known hosts from by itself.
	ownHosts = lazy.Regexp(`(?:\.ssh|/etc/ssh)/(?:ssh_)?known_hosts2?$`)
	// placeholders are what a CI system puts in before any shell sees the text.
	placeholders = lazy.Regexp(`<<\s*(?:parameters|pipeline|matrix)\.[\w.-]+\s*>>|\$\[\[[^\]\n]*\]\]`)
)

// parseCommands reads the text of an entry. What the CI system puts in becomes a word of
// the same length, so that each place stays what it is.
func parseCommands(text string) *script {
	plain := placeholders().ReplaceAllStringFunc(text, func(found string) string { return strings.Repeat("_", len(found)) })
	s := parseScript(plain)
	if s.why == nil && len(s.expressions) > 0 {
		s.why = errors.New("it has ${{ … }}, which is GitHub's")
	}
	return s
}

// newShellJob reads what the entries do.
func newShellJob(w *workflow, ci CI, entries []*jobEntry) (*shellJob, error) {
	j := &shellJob{workflow: w, ci: ci, entries: entries}
	unknown := errors.New("a variable of the job's")
	j.agent = &agentReader{
		w: w, given: map[string]bool{}, files: map[string]keySource{}, variables: map[string]keySource{},
		scriptReader: &scriptReader{values: map[string]string{}, lookup: func(string) (string, error) { return "", unknown }},
	}
	for _, e := range entries {
		if e.script.why != nil {
			return nil, j.refuse(e.line(), "write it as commands of sh", "what the job runs is none that a shell could read (%s)", e.script.why)
		}
		j.agent.script = e.script
		j.agent.find()
	}
	for _, e := range entries {
		j.agent.script = e.script
		for _, stmt := range e.script.file.Stmts {
			e.fates = append(e.fates, j.fateOf(e, stmt))
		}
	}
	if j.err != nil {
		return nil, j.err
	}
	j.sshFolders()
	if err := j.valuesStay(); err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := j.remaining(e); err != nil {
			return nil, err
		}
	}
	return j, j.takeKeys()
}

// fateOf is what becomes of a statement, and takes from it what is to be kept.
func (j *shellJob) fateOf(e *jobEntry, stmt *syntax.Stmt) fate {
	if stmt.Background || stmt.Negated || stmt.Coprocess {
		return stays
	}
	if cmd, ok := stmt.Cmd.(*syntax.BinaryCmd); ok && (cmd.Op == syntax.AndStmt || cmd.Op == syntax.OrStmt) && !j.installs(stmt) {
		x := j.fateOf(e, cmd.X)
		if isNothing(cmd.Y) {
			return x
		}
		return bothFates(x, j.fateOf(e, cmd.Y))
	}
	found := j.fateOfOne(e, stmt)
	if found != stays && runsKamal(stmt) {
		return unclear // whatever else it does
	}
	return found
}

func (j *shellJob) fateOfOne(e *jobEntry, stmt *syntax.Stmt) fate {
	text := source(stmt)
	switch {
	case j.reads(e, stmt), j.installs(stmt), j.bringsOp(stmt):
		return goes
	case writesAll(stmt, ownHosts()):
		j.hosts(e, text)
		return goes
	case j.isAgents(stmt, text, e):
		if strings.Contains(text, "op read") && strings.Contains(text, "--account") {
			j.fail(e, "leave --account away, if the token is of that account", "the job reads the SSH key from another account: %s", firstLine(text))
		}
		return goes
	case j.agent.isHarmless(stmt) && makesFolder(stmt):
		return forSSH
	}
	return stays
}

// bothFates is what becomes of two commands that && or || joins: one of which nothing
// would be left takes the other along, and no other does.
func bothFates(x, y fate) fate {
	switch {
	case x == y:
		return x
	case x == unclear || y == unclear:
		return unclear
	case x == forSSH && y == goes || x == goes && y == forSSH:
		return forSSH
	case x == forSSH || y == forSSH:
		return stays // what makes a folder does no harm
	}
	return unclear
}

// isNothing is || true.
func isNothing(stmt *syntax.Stmt) bool {
	text := source(stmt)
	return text == "true" || text == ":"
}

// runsKamal tells whether a statement calls Kamal, and not a program that looks for it or
// installs it.
func runsKamal(stmt *syntax.Stmt) bool {
	found := false
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && kamalWord(call) >= 0 {
			found = found || !slices.ContainsFunc(call.Args[:kamalWord(call)], func(w *syntax.Word) bool {
				return slices.Contains([]string{"gem", "echo", "printf", "which", "command", "type", "hash"}, wordText(w))
			})
		}
		return !found
	})
	return found
}

// givesAgent tells whether a variable is what an agent is given.
func (j *shellJob) givesAgent(name string) bool {
	for _, e := range j.entries {
		for _, stmt := range e.script.file.Stmts {
			if text := source(stmt); strings.Contains(text, "ssh-add") && wordAt(text, name).Line > 0 {
				return true
			}
		}
	}
	return false
}

// installs tells whether a statement brings what the image has: packages of the system,
// Kamal, and the gems that Kamal is called with.
func (j *shellJob) installs(stmt *syntax.Stmt) bool {
	if stmt.Background || stmt.Negated || writesFile(stmt.Redirs) {
		return false
	}
	switch cmd := stmt.Cmd.(type) {
	case *syntax.Subshell:
		return j.allInstall(cmd.Stmts)
	case *syntax.Block:
		return j.allInstall(cmd.Stmts)
	case *syntax.BinaryCmd:
		if cmd.Op == syntax.Pipe {
			return getDocker().MatchString(source(cmd.X)) && slices.Contains([]string{"sh", "sudo sh", "bash", "sudo bash", "sh -"}, source(cmd.Y))
		}
		if cmd.Op != syntax.AndStmt && cmd.Op != syntax.OrStmt {
			return false
		}
		x, y := j.installs(cmd.X), j.installs(cmd.Y)
		return x && (y || isNothing(cmd.Y)) || y && isProbe(cmd.X)
	case *syntax.CallExpr:
		words := make([]string, len(cmd.Args))
		for i, w := range cmd.Args {
			words[i] = wordText(w)
		}
		return !substitutes(stmt) && j.installsBy(words)
	}
	return false
}

func (j *shellJob) allInstall(stmts []*syntax.Stmt) bool {
	return len(stmts) > 0 && !slices.ContainsFunc(stmts, func(s *syntax.Stmt) bool { return !j.installs(s) })
}

// isProbe is a question whether a program is there.
func isProbe(stmt *syntax.Stmt) bool {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) < 2 {
		return false
	}
	return slices.Contains([]string{"which", "command", "type", "hash"}, wordText(call.Args[0]))
}

func (j *shellJob) installsBy(words []string) bool {
	for len(words) > 0 && (words[0] == "sudo" || strings.HasPrefix(words[0], "-")) {
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	program, all := words[0], strings.Join(words, " ")
	switch {
	case slices.Contains(packageManagers, program):
		return true
	case program == "apk":
		packages := slices.DeleteFunc(slices.Clone(words[1:]), func(word string) bool { return strings.HasPrefix(word, "-") || word == "add" || word == "update" })
		return !slices.ContainsFunc(packages, func(word string) bool { return !slices.Contains(inKamalImage, word) })
	case program == "gem":
		if m := pinnedKamal().FindStringSubmatch(all); m != nil {
			j.pinned = m[1] + m[2]
		}
		return len(words) > 2 && words[1] == "install" && onlyGems().MatchString(all)
	case program == "bundle":
		words = slices.DeleteFunc(slices.Clone(words[1:]), isFlag)
		return len(words) == 0 || slices.Contains([]string{"install", "config", "check"}, words[0])
	case program == "rm":
		words = slices.DeleteFunc(slices.Clone(words[1:]), isFlag)
		return len(words) > 0 && !slices.ContainsFunc(words, func(word string) bool { return !strings.HasPrefix(word, "/var/lib/apt/lists") })
	}
	return false
}

// onlyGems is the installation of Kamal and Bundler, and of no other gem.
var onlyGems = lazy.Regexp(`^gem install (?:(?:kamal|bundler)(?::\S+)?|--no-document|--no-doc|-N|-v\s*\S+|--version[\s=]\S+|\s)+$`)

func (j *shellJob) noteAt(e *jobEntry, note string) {
	if text := j.file + ":" + itoa(e.line()) + ": " + note; !slices.Contains(j.plan.Notes, text) {
		j.plan.note("%s", text)
	}
}

// isAgents tells whether a statement starts an agent, or gives a key to one or to a
// file of SSH's.
func (j *shellJob) isAgents(stmt *syntax.Stmt, text string, e *jobEntry) bool {
	before := len(j.agent.keys)
	is := j.agent.isAgents(stmt)
	for _, key := range j.agent.keys[before:] {
		if key.reference == "" {
			j.lostKey(e, text)
			is = true
		} else if !slices.Contains(j.keys, key.reference) {
			j.keys = append(j.keys, key.reference)
		}
	}
	if is {
		return true
	}
	if writesAll(stmt, keyFile()) {
		if !strings.Contains(text, "chmod") {
			j.lostKey(e, text)
		}
		return true
	}
	// GitLab's variables of the type File are paths: chmod 400 "$SSH_PRIVATE_KEY".
	if call, ok := stmt.Cmd.(*syntax.CallExpr); ok && len(call.Args) == 3 && wordText(call.Args[0]) == "chmod" {
		return j.isGiven(source(call.Args[2]))
	}
	return false
}

// isGiven tells whether ssh-add is given a word.
func (j *shellJob) isGiven(word string) bool {
	found := false
	for _, e := range j.entries {
		syntax.Walk(e.script.file, func(n syntax.Node) bool {
			if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 0 && wordText(call.Args[0]) == "ssh-add" {
				for _, given := range call.Args[1:] {
					found = found || source(given) == word
				}
			}
			return !found
		})
	}
	return found
}

// lostKey notes a key that is none of 1Password's.
func (j *shellJob) lostKey(e *jobEntry, text string) {
	if j.keyLine > 0 {
		return
	}
	j.keyLine, j.keyFrom = e.line(), "is not from 1Password"
	if m := aVariableOf().FindStringSubmatch(text); m != nil {
		j.keyFrom = "comes from $" + m[1] + ", not from 1Password"
	}
}

var aVariableOf = lazy.Regexp(`\$\{?(\w{3,})\}?`)

// takeKeys is the SSH key that the job gave to its agent, or the one that is named.
func (j *shellJob) takeKeys() error {
	if j.keyLine > 0 && j.o.SSHKey == "" {
		return j.refuse(j.keyLine, "put the key into 1Password, and name it: --ssh-key op://Vault/Server", "the SSH key %s", j.keyFrom)
	}
	j.lost = j.keyLine > 0
	if j.o.SSHKey != "" {
		return j.givenKey(j.keys)
	}
	j.key = strings.Join(j.keys, "\n")
	return nil
}
