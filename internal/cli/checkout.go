package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/owner"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A checkout is the workspace as git sees it. Only what needs no index, no hook
// and no network is asked of git.
type checkout struct {
	dir string // the project's, absolute
	env []string
}

// git runs git in the workspace.
func (c checkout) git(ctx context.Context, args ...string) ([]byte, error) {
	path, err := environ.List(c.env).LookTool("git")
	if err != nil {
		return nil, fmt.Errorf("git: %w", err)
	}
	// The workspace may belong to the runner's user, and we be root: git would not
	// look at it. And a folder of the repository's that looks like a repository of
	// its own is none.
	cmd := exec.CommandContext(ctx, path, append([]string{"-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit"}, args...)...)
	cmd.Dir = c.dir
	// It gets what programs follow and nothing else: the file that says what of the rest
	// is a secret may be what is read.
	env := environ.List(c.env).Without(func(name string) bool { return kamal.IsCredential(name) || !kamal.ReservedName(name) })
	env.SetAll([]string{"GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"})
	cmd.Env = env
	return cmd.Output()
}

// head is the commit that is checked out, "" where none is.
func (c checkout) head(ctx context.Context) string {
	out, err := c.git(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(out))
}

// prefix is where in the repository the project lies: "" or "folder/".
func (c checkout) prefix(ctx context.Context) string {
	out, err := c.git(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(out))
}

// errNoCommit says that the workspace does not have a commit: most are shallow.
var errNoCommit = errors.New("the workspace does not have the commit")

// file reads a file of a commit; false where the commit has none of that name.
func (c checkout) file(ctx context.Context, commit, path string) ([]byte, bool, error) {
	if _, err := c.git(ctx, "cat-file", "-e", commit+"^{commit}"); err != nil {
		return nil, false, errNoCommit
	}
	out, err := c.git(ctx, "ls-tree", "-z", "--full-tree", commit, "--", path)
	if err != nil {
		return nil, false, err
	}
	if len(out) == 0 {
		return nil, false, nil
	}
	out, err = c.git(ctx, "cat-file", "blob", commit+":"+path)
	return out, err == nil, err
}

// base is the items that production's files name in a commit. They are parsed, and
// nothing of them is executed.
func (c checkout) base(ctx context.Context, commit string, client *github.Client, o kamal.ProjectOptions) ([]onepassword.Reference, error) {
	dir, err := c.makeDir()
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // copies of files of the repository: no secret stays
	o.Dir = dir
	files, err := c.copyProject(ctx, commit, client, o)
	if err != nil || len(files) == 0 {
		return nil, err // not there: the base has no production yet
	}
	project, err := kamal.OpenProject(o)
	if err != nil {
		return nil, baseProblem(commit, err)
	}
	return broker.References(project), nil
}

// names says whether a project's files name a variable in a commit, in a line that is
// no comment.
func (c checkout) names(ctx context.Context, commit string, client *github.Client, o kamal.ProjectOptions, variable string) (bool, error) {
	dir, err := c.makeDir()
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // copies of files of the repository: no secret stays
	o.Dir = dir
	files, err := c.copyProject(ctx, commit, client, o)
	if err != nil {
		return false, err
	}
	whole := regexp.MustCompile(`\b` + regexp.QuoteMeta(variable) + `\b`)
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return false, err
		}
		for l := range strings.Lines(string(text)) {
			if !strings.HasPrefix(strings.TrimSpace(l), "#") && whole.MatchString(l) {
				return true, nil
			}
		}
	}
	return false, nil
}

// makeDir makes a directory for copies of files: production's are judged by them, and
// no other user is to put other ones in their place.
func (c checkout) makeDir() (string, error) {
	place, err := owner.Place(environ.List(c.env).Get("TMPDIR"), "/tmp")
	if err != nil {
		return "", fmt.Errorf("a directory for the files of the base: %w", err)
	}
	return os.MkdirTemp(place, "kamal-op-base-")
}

// copyProject copies the files of Kamal's that a commit has into a folder, and gives
// their names: of git where the workspace has the commit, else of GitHub. None are
// given where the commit has no such configuration.
func (c checkout) copyProject(ctx context.Context, commit string, client *github.Client, o kamal.ProjectOptions) ([]string, error) {
	prefix := c.prefix(ctx)
	var files []string
	copied := func(name string) (bool, error) {
		text, there, err := c.file(ctx, commit, repoPath(prefix, name))
		if err != nil && client != nil {
			text, there, err = client.File(ctx, repoPath(prefix, name), commit)
		}
		if err != nil {
			return false, baseProblem(commit, err)
		}
		if !there {
			return false, nil
		}
		path := filepath.Join(o.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return false, err
		}
		files = append(files, name)
		return true, os.WriteFile(path, text, 0o600)
	}
	name := o.ConfigFile
	if name == "" {
		name = kamal.DefaultConfigFile
	}
	if !filepath.IsLocal(name) {
		return nil, problem.Usagef("give a file of the repository, or --shared-secrets", "--config-file %s lies outside of the project", name)
	}
	configs := []string{name}
	if o.Destination != "" {
		configs = append(configs, kamal.DestinationFile(name, o.Destination))
	}
	for _, name := range configs {
		if there, err := copied(name); err != nil || !there {
			return nil, err
		}
	}
	config, err := kamal.ReadConfig(o)
	if err != nil {
		return nil, baseProblem(commit, err)
	}
	path := config.SecretsPath.Or(kamal.DefaultSecretsPath)
	if !filepath.IsLocal(path) {
		return nil, nil // not in the repository
	}
	for _, name := range kamal.SecretsFiles(path, o.Destination) {
		if _, err := copied(name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// baseProblem says what cannot be known without the base's files.
func baseProblem(commit string, err error) error {
	var details []string
	for _, p := range problem.Of(err) {
		details = append(details, p.Message)
		if p.Hint != "" {
			details = append(details, p.Hint)
		}
	}
	return &problem.Problem{
		Message: fmt.Sprintf("which items production's secrets are in cannot be read from the base commit %.12s", commit),
		Details: details, Hint: "check out with fetch-depth: 0, or let the token read (contents: read); --shared-secrets does without",
		Status: problem.Found, Cause: err, Help: problem.ReviewApps,
	}
}

// repoPath is a path of the project's as the repository has it.
func repoPath(prefix, name string) string {
	return filepath.ToSlash(filepath.Join(prefix, name))
}
