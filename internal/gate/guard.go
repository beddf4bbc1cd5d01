package gate

import (
	"strings"

	"github.com/kamal-op/kamal-op/mask"
)

// isSet reports whether a variable that says that something is so does.
func isSet(env map[string]string, name string) bool { return env[name] != "" && env[name] != "false" }

// runners are variables by which CI systems say that they run us, beside CI.
var runners = [...]string{
	"CI", "GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI",
	"TF_BUILD", "TEAMCITY_VERSION", "JENKINS_URL", "BITBUCKET_BUILD_NUMBER", "CODEBUILD_BUILD_ID",
}

// inCI reports whether a CI system runs us.
func (g *Gate) inCI() bool {
	for _, name := range runners {
		if isSet(g.o.Env, name) {
			return true
		}
	}
	return false
}

// marks are those of the system that runs us, beside the commands that are kept
// from every log.
func (g *Gate) marks() (marks mask.Marks) {
	if isSet(g.o.Env, "GITLAB_CI") {
		marks |= mask.GitLabSections
	}
	if isSet(g.o.Env, "BUILDKITE") {
		marks |= mask.BuildkiteHeadlines
	}
	return marks
}

// guard is what a child's output passes on its way to the stream. A runner may read
// a pipe, whatever is in between, and a terminal that a CI system gives; a file is
// a person's, and so is what no CI system runs.
func (s *Stream) guard() Layer {
	if s.kind == aTerminal && !s.gate.inCI() || s.persons() {
		return unguardedLayer{rawLayer{s}}
	}
	return mask.NewCommands(rawLayer{s}, s.gate.marks())
}

// persons reports whether the stream is a person's file or pipe.
func (s *Stream) persons() bool { return s.kind == aFile || s.kind == aPipe && !s.gate.inCI() }

// Harmless is text, masked already, in which nothing is a command: for what becomes
// part of a command of ours.
func (g *Gate) Harmless(text string) string { return g.own(text) }

// own is text of ours in which nothing is a command, whoever reads it.
func (g *Gate) own(text string) string {
	var b strings.Builder
	_, _ = mask.NewCommands(&b, g.marks()).Write([]byte(text)) // a Builder takes everything
	return b.String()
}
