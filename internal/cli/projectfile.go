package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/reference"
	"github.com/kamal-op/kamal-op/internal/review"
)

// A projectOptions is what .kamal/kamal-op.yml says for one command line. The zero one
// says nothing.
type projectOptions struct {
	file        *projectfile.File
	destination string
	trusted     bool // somebody beside the file says that all of it counts
	confirmed   map[string]bool
}

// values are those of an option that count.
func (p projectOptions) values(option string) []line {
	if p.confirmed[option] && !p.trusted {
		return nil
	}
	return p.lines(option)
}

// lines are the values of an option, whether they count or not.
func (p projectOptions) lines(option string) (list []line) {
	for _, l := range p.file.Values(option, p.destination) {
		list = append(list, line{text: l.Text, origin: p.file.Origin(l)})
	}
	return list
}

// unconfirmed are the options that the file gives and that do not count.
func (p projectOptions) unconfirmed() (names []string) {
	for name, needed := range p.confirmed {
		if needed && !p.trusted && len(p.lines(name)) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// fileOptions are all options that may stand in the file.
func fileOptions(g reference.Grammar) (options []projectfile.Option) {
	for _, o := range reference.InFile(g) {
		options = append(options, projectfile.Option{
			Name: o.Name, Other: o.Input, List: o.Kind == reference.List, Confirmed: o.File == "confirmed",
		})
	}
	return options
}

// readProjectFile reads the file for a command line that has been parsed without it.
// Commands that ask no vault know nothing of it.
func (a *app) readProjectFile(kctx *kong.Context) (projectOptions, error) {
	flag := func(name string) (value any, there bool) {
		for _, f := range kctx.Flags() {
			if f.Name == name {
				return kctx.FlagValue(f), true
			}
		}
		return nil, false
	}
	trusted, reads := flag("trust-project-file")
	if !reads {
		return projectOptions{}, nil
	}
	var p projectOptions
	p.trusted, _ = trusted.(bool)
	if d, ok := flag("destination"); ok {
		p.destination, _ = d.(string)
	}
	var where string
	if d, ok := flag("working-directory"); ok {
		where, _ = d.(string)
	}
	dir := a.path(where)
	read := func() ([]byte, error) { return readSmall(filepath.Join(dir, projectfile.Name)) }
	if command, _, _ := strings.Cut(kctx.Command(), " "); command == "review" {
		if p.destination == "" {
			p.destination = review.DefaultDestination
		}
		read = a.reviewFile(dir, strings.Fields(kctx.Command())[1], read)
	}
	text, err := read()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return p, nil
	}
	if err != nil {
		return p, &problem.Problem{Message: projectfile.Name + " cannot be read: " + err.Error(), Status: problem.Found, Cause: err}
	}
	options := fileOptions(Grammar())
	p.confirmed = map[string]bool{}
	for _, o := range options {
		p.confirmed[o.Name] = o.Confirmed
	}
	p.file, err = projectfile.Parse(projectfile.Name, text, options, nearOption)
	return p, err
}

// reviewFile reads the file for a review: that of the pull request's base, since the
// head is what a stranger to the settings may have written. A deploy or a build whose
// base is not known has none; what looks at no pull request's files takes the
// workspace's.
func (a *app) reviewFile(dir, command string, workspace func() ([]byte, error)) func() ([]byte, error) {
	var event struct {
		PullRequest struct {
			Base struct {
				SHA string `json:"sha"`
			} `json:"base"`
		} `json:"pull_request"`
	}
	if path := a.env["GITHUB_EVENT_PATH"]; path != "" {
		if text, err := os.ReadFile(path); err == nil {
			_ = json.Unmarshal(text, &event) // what is no event names no base
		}
	}
	base := event.PullRequest.Base.SHA
	return func() ([]byte, error) {
		if base == "" {
			switch name := a.env["GITHUB_EVENT_NAME"]; {
			case command == "deploy" || command == "build",
				command == "event" && name != "schedule" && name != "push" && name != "workflow_dispatch":
				if _, err := workspace(); err == nil {
					a.notices(projectfile.Name + " does not count: a review takes the one of the pull request's base, which is not known here")
				}
				return nil, fs.ErrNotExist
			}
			return workspace()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c := checkout{dir: dir, env: a.Env}
		text, there, err := c.file(ctx, base, repoPath(c.prefix(ctx), projectfile.Name))
		if err != nil {
			// Most workspaces are shallow: GitHub has the commit.
			repository, _, _ := a.lookup.value("repository")
			client, failed := a.githubClient(repository)
			if failed != nil {
				return nil, failed
			}
			if client == nil {
				// Nothing is deployed without GitHub: there is nothing to set.
				if _, err := workspace(); err == nil {
					a.notices(projectfile.Name + " does not count: the pull request's base is not in the workspace, and there is no token to ask GitHub with")
				}
				return nil, fs.ErrNotExist
			}
			defer client.Close()
			text, there, err = client.File(ctx, repoPath(c.prefix(ctx), projectfile.Name), base)
		}
		if err == nil && !there {
			err = fs.ErrNotExist
		}
		return text, err
	}
}

// readSmall reads a regular file that is not larger than a person writes it.
func readSmall(path string) ([]byte, error) {
	// Opening a pipe that nobody writes to would wait for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read only
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	return io.ReadAll(io.LimitReader(f, projectfile.MaxSize+1))
}

// nearOption is the option that is meant by a name that is none: one that is spelt
// almost like it, or begins like it.
func nearOption(wrong string, names []string) string {
	if near := check.Nearest(wrong, names); near != "" {
		return near
	}
	const enough = 3
	for _, name := range names {
		if len(wrong) >= enough && strings.HasPrefix(name, wrong[:enough]) {
			return name
		}
	}
	return ""
}
