package edit

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// ownCode are the events whose run has the commit that the repository has: the project
// file is that commit's, too. With any other it may be a base's, or not count.
var ownCode = []string{"push", "workflow_dispatch", "schedule", "release"}

// plainCheckout are the inputs of actions/checkout with which it still is this commit of
// this repository, wholly, where it usually is.
var plainCheckout = []string{"fetch-depth", "persist-credentials", "submodules", "lfs", "token"}

var (
	isLabel     = lazy.Regexp(`(?m)^\s*(?:-\s+)?(?:name|run-name|group|description):.*$`)
	ofKamal     = lazy.Regexp(`\bKAMAL_[A-Z0-9_]+\b`)
	imageOfOurs = lazy.Regexp(`(?m)\bimage:\s*["']?ghcr\.io/kamal-op/kamal-op[\w.:@-]*`)
	callsStep   = lazy.Regexp(`\buses:\s*["']?kamal-op/kamal-op@\S+`)
	callsShell  = lazy.Regexp(`\bkamal-op (?:deploy|setup|redeploy|rollback)\b`)

	givesDestination = lazy.Regexp(`(?:^|[\s"'])(?:-\w*d|--dest)`)
	callArguments    = lazy.Regexp(`\bkamal-op (?:deploy|setup|redeploy|rollback)\b([^;&|\n]*)`)
	namedDestination = lazy.Regexp(`\s(?:-d|--destination)(?:[ \t]+|=)["']?([\w.-]+)["']?(?:[\s)]|$)`)
	ownConfig        = lazy.Regexp(`(?:\s(?:-c|--config-file)[\s=]|KAMAL_OP_CONFIG_FILE)`)
	changesPlace     = lazy.Regexp(`(?m)(?:(?:^|[\s;&|"'(\[{,-])(?:cd|pushd)\s|--working-directory|\bworking_directory:)`)
	changesCheckout  = lazy.Regexp(`(?m)\b(?:git|gh|glab)\s(?:.*\s)?(?:checkout|switch|clone|reset|pull|worktree|restore|merge|rebase|revert|cherry-pick|stash|apply|am|read-tree)\b|\bGIT_(?:STRATEGY|CHECKOUT|CLONE_PATH)\b`)
	ofRequest        = lazy.Regexp(`(?i)merge_request|pull_request`)
	hasAnchor        = lazy.Regexp(`(?:^|[\s\[{,])&\w`)
	checksOut        = lazy.Regexp(`(?m)^\s*-\s+checkout\s*$`)
	checksOutOther   = lazy.Regexp(`(?m)^\s*-\s+["']?(?:\S+/)?checkout["']?:`)
)

// calling is what of a text may call something: no comment, and no label.
func calling(text string) string {
	return isLabel().ReplaceAllString(withoutComments(text), "")
}

// namesKamal tells whether a text names Kamal or kamal-op otherwise than in a comment, a
// label, or a variable of Kamal's own.
func namesKamal(text string) bool {
	text = ofKamal().ReplaceAllStringFunc(calling(text), func(name string) string {
		if strings.HasPrefix(name, "KAMAL_OP_") {
			return name
		}
		return ""
	})
	return strings.Contains(strings.ToLower(text), "kamal")
}

// mayHoldForMore says why what a job gives could hold for more in the project file than it
// does here, or be lost; "" where it is known not to be so. What is not known to be plain
// counts as a reason: a file of CI can say the same in more ways than can be listed.
func (s *sharing) mayHoldForMore(root ast.Node, job *ast.MappingValueNode, g giver) string {
	from := job.Key.GetToken().Position.Line - 1
	to := endOfValue(s.lines, job)
	calls, rest := callsShell(), imageOfOurs().ReplaceAllString(s.text(from, to, g.lines), "")
	if s.ci == GitHub {
		calls = callsStep()
	}
	others, why := s.otherFiles()
	switch outside := s.text(0, from, nil) + s.text(to, len(s.lines), nil); {
	case why != "":
		return why
	case namesKamal(outside):
		return "it names Kamal outside of the job that deploys, too"
	case len(calls.FindAllString(rest, -1)) != 1:
		return "the job has not one call of kamal-op, but several or none that is plain"
	case namesKamal(calls.ReplaceAllString(rest, "")):
		return "the job names Kamal besides the one call that deploys"
	case s.ci == GitHub:
		return s.otherCode(root, job, rest)
	}
	included := ""
	for _, f := range others {
		if !strings.Contains(f.name, workflowDir) {
			included += "\n" + calling(f.text)
		}
	}
	text := calling(s.file.text) + included
	switch {
	case ofRequest().MatchString(text):
		return "a run of a merge request would take the project file that the request brings"
	case changesCheckout().MatchString(joined(text)):
		return notThisCommit
	case s.ci == CircleCI && (!checksOut().MatchString(rest) || checksOutOther().MatchString(rest)):
		return notThisCommit
	case takenFrom(job.Key.GetToken().Value, text):
		return "other jobs have what this one runs"
	case changesPlace().MatchString(joined(s.inheritable(root, job, text) + included)):
		return "what it has from elsewhere may run it in another directory"
	}
	return ""
}

// takenFrom tells whether a job takes something from the one of that name.
func takenFrom(name, text string) bool {
	return regexp.MustCompile(`(?:extends:|!reference\s*\[)(?:[^:]*[\s,"'\[])?` + regexp.QuoteMeta(name) + `[\s\],"']`).MatchString(text)
}

// inheritable is what of the file a job may have beside its own lines, as far as it calls
// something: all but the other jobs that nothing is taken from.
func (s *sharing) inheritable(root ast.Node, job *ast.MappingValueNode, text string) string {
	jobs := yamlfile.Pairs(root)
	if s.ci == CircleCI {
		jobs = yamlfile.Pairs(yamlfile.Child(root, "jobs"))
	}
	without := map[int]bool{}
	for _, other := range jobs {
		from, to := other.Key.GetToken().Position.Line-1, endOfValue(s.lines, other)
		name, lines := other.Key.GetToken().Value, strings.Join(s.lines[from:to], "")
		plain := !strings.HasPrefix(name, ".") && (s.ci == CircleCI || !slices.Contains(gitlabWords, name)) &&
			!hasAnchor().MatchString(lines) && !takenFrom(name, text)
		for line := from; line < to && (plain || other == job); line++ {
			without[line] = true
		}
	}
	return s.text(0, len(s.lines), without)
}

const notThisCommit = "what the job checks out is not known to be this commit, with its project file"

// joined are lines with those that go on in the next one put together.
func joined(text string) string { return strings.ReplaceAll(text, "\\\n", " ") }

// otherCode says why a job of GitHub's may run another commit than the workflow's, or
// another repository's.
func (s *sharing) otherCode(root ast.Node, job *ast.MappingValueNode, text string) string {
	events := eventsOf(yamlfile.Child(root, "on"))
	for _, event := range events {
		if !slices.Contains(ownCode, event) {
			return "a run of " + event + " may take the project file of the base, or none"
		}
	}
	if len(events) == 0 || changesCheckout().MatchString(joined(text)) {
		return notThisCommit
	}
	there := false
	list, _ := yamlfile.Child(job.Value, "steps").(*ast.SequenceNode)
	for _, v := range list.Values {
		step, _ := s.marks.item(v)
		if uses := strings.ToLower(scalarText(yamlfile.Child(step, "uses"))); strings.HasPrefix(uses, "actions/checkout@") {
			there = true
		} else if strings.Contains(uses, "checkout") {
			return notThisCommit
		} else {
			continue
		}
		for _, input := range yamlfile.Pairs(yamlfile.Child(step, "with")) {
			if !slices.Contains(plainCheckout, input.Key.GetToken().Value) {
				return notThisCommit
			}
		}
	}
	if !there {
		return notThisCommit
	}
	return ""
}

// otherFiles are the other files of CI that the repository has; why says which of them
// names Kamal too, or cannot be read.
func (s *sharing) otherFiles() (files []*workFile, why string) {
	names := s.tree.ciNames()
	for i := 0; i < len(names); i++ {
		f, err := s.tree.read(names[i])
		switch {
		case err != nil, f.opaque:
			return nil, names[i] + ", another file of the CI, cannot be read"
		case !f.exists:
			continue
		}
		for _, m := range usesLocal().FindAllStringSubmatch(f.text, -1) {
			for _, name := range []string{"action.yml", "action.yaml"} {
				if name = s.tree.prefix() + path.Join(strings.Trim(m[1], `"'`), name); !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
		if path.Clean(names[i]) == path.Clean(s.file.name) {
			continue
		}
		if namesKamal(f.text) {
			return nil, "another file of the CI names Kamal too, " + names[i]
		}
		files = append(files, f)
	}
	if _, unread := s.tree.gitlabOthers(""); unread && s.ci == GitLab {
		return nil, "it includes files that are not of this repository"
	}
	return files, ""
}

// ciNames are the files of all CI systems, those of local actions and what stands beside
// them, seen from the project.
func (t tree) ciNames() []string {
	names := append(t.workflowNames(), t.pipelineNames()...)
	for _, name := range append(otherCI[:], "action.yml", "action.yaml") {
		names = append(names, t.prefix()+name)
	}
	for _, dir := range []string{".github/actions", ".circleci", ".gitlab", ".buildkite"} {
		_ = fs.WalkDir(os.DirFS(t.top), dir, func(name string, d fs.DirEntry, err error) error { // a directory that is not there has none
			if err == nil && !d.IsDir() {
				names = append(names, t.prefix()+filepath.ToSlash(name))
			}
			return nil
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// calledFor is the destination that a job's call of kamal-op names, "" for none; known is
// whether it is a word that stands there, alone, and the call has no other words that the
// shell puts in.
func calledFor(text string) (destination string, known bool) {
	text = joined(text)
	call := callArguments().FindStringSubmatch(text)
	if call == nil {
		return "", false
	}
	own, _, _ := strings.Cut(call[1]+" ", " -- ") // what Kamal is given stands behind
	flags := givesDestination().FindAllString(text, -1)
	named := namedDestination().FindStringSubmatch(own)
	switch {
	case strings.ContainsAny(own, "$`("), len(flags) > 1, len(flags) == 1 && named == nil:
		return "", false
	case named == nil:
		return "", true
	}
	return named[1], true
}
