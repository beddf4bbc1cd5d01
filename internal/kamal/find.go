package kamal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// TestedVersion is the Kamal that all tests run, and that the action's image carries.
const TestedVersion = "2.12.0"

// ProbeTimeout is how long `kamal version` may take where FindOptions gives no
// other: Kamal loads in half a second, on a busy machine in several.
const ProbeTimeout = 30 * time.Second

// A Binary is the Kamal that a run uses.
type Binary struct {
	Path    string   // absolute
	Version string   // as `kamal version` prints it, such as 2.12.0
	Preload bool     // the preload was loaded into it and saw its commands; false where FindOptions named none
	Notices []string // what a person should know about the choice; a line each
}

// String is path and version in one line.
func (b Binary) String() string { return fmt.Sprintf("kamal %s (%s)", b.Version, b.Path) }

// FindOptions says where to look for Kamal.
type FindOptions struct {
	Dir      string        // the project's directory; relative paths are relative to it
	Explicit string        // --kamal: a path, or a name on PATH; nothing else is tried
	Env      []string      // the environment: its PATH is searched; credentials of ours in it are not passed on
	Preload  string        // the preload's path: whether it is part of the Kamal that is found is looked at; "" does not look
	Timeout  time.Duration // for one `version` call; 0 is ProbeTimeout
}

// Find is the Kamal to use: the explicit one; else bin/kamal of the project if
// its `version` succeeds, since a Rails binstub whose gems are not installed must
// not end the run; else kamal on PATH. Where there is none the error is a
// *problem.Problem with a hint.
func Find(ctx context.Context, o FindOptions) (Binary, error) {
	if o.Timeout <= 0 {
		o.Timeout = ProbeTimeout
	}
	o.Env = WithoutCredentials(o.Env)
	if o.Explicit != "" {
		return findExplicit(ctx, o)
	}
	paths, err := Candidates(o)
	if err != nil {
		return Binary{}, err
	}
	var notices []string
	for i, path := range paths {
		found, err := probe(ctx, path, o)
		if err == nil {
			found.Notices = notices
			return WithLock(found, o.Dir), nil
		}
		if ctx.Err() != nil {
			return Binary{}, ctx.Err()
		}
		if i == 0 && path == binstub(o.Dir) {
			notices = append(notices, fmt.Sprintf("bin/kamal is passed over: %v", err))
			continue
		}
		p := problem.Newf("kamal at %s does not run: %v", path, err).About(problem.KamalMissing)
		p.Hint = "try `kamal version` in the project's directory; another Kamal can be named with --kamal PATH"
		p.Details = notices
		p.Cause = err
		return Binary{}, p
	}
	p := problem.New("kamal is not found: neither bin/kamal of the project nor kamal on PATH",
		"install it with `gem install kamal`, or name it with --kamal PATH").About(problem.KamalMissing)
	if len(notices) > 0 {
		p.Message = "kamal is not found: bin/kamal of the project does not run, and there is no kamal on PATH"
		p.Hint = "run `bundle install` so that bin/kamal works, install kamal with `gem install kamal`, or name it with --kamal PATH"
		p.Details = notices
	}
	return Binary{}, p
}

// Candidates are the absolute paths at which the Kamal to use may be, the best
// first: the explicit one alone; else bin/kamal of the project and kamal on PATH.
// It runs none of them.
func Candidates(o FindOptions) ([]string, error) {
	if o.Explicit != "" {
		path := o.Explicit
		if !strings.ContainsRune(path, '/') {
			var err error
			if path, err = environ.List(o.Env).LookPath(path, o.Dir); err != nil {
				return nil, problem.Usagef("give a path, or leave --kamal away to use bin/kamal or kamal on PATH",
					"--kamal %s is not found on PATH", o.Explicit)
			}
		} else if !filepath.IsAbs(path) {
			path = filepath.Join(o.Dir, path)
		}
		path, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("the path of --kamal: %w", err)
		}
		return []string{path}, nil
	}
	var paths []string
	if path := binstub(o.Dir); path != "" {
		paths = append(paths, path)
	}
	if path, err := environ.List(o.Env).LookPath("kamal", o.Dir); err == nil {
		paths = append(paths, path)
	}
	return paths, nil
}

// binstub is the absolute path of a project's bin/kamal, "" where there is none.
func binstub(dir string) string {
	path, err := filepath.Abs(filepath.Join(dir, "bin", "kamal"))
	if err != nil {
		return ""
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

func findExplicit(ctx context.Context, o FindOptions) (Binary, error) {
	paths, err := Candidates(o)
	if err != nil {
		return Binary{}, err
	}
	found, err := probe(ctx, paths[0], o)
	if err != nil {
		if ctx.Err() != nil {
			return Binary{}, ctx.Err()
		}
		p := problem.Usagef("--kamal takes the path of a Kamal whose `version` command works",
			"--kamal %s does not run: %v", o.Explicit, err)
		p.Cause = err
		return Binary{}, p
	}
	return WithLock(found, o.Dir), nil
}

// versionLine is what Kamal prints, alone on its line: bundler and Ruby may print
// warnings around it.
var versionLine = lazy.Regexp(`(?m)^(\d+\.\d+[0-9A-Za-z.]*)\s*$`)

// probeMark is what the preload prints, when it is asked to, as soon as it has seen
// Kamal's commands: then it will be part of that Kamal.
const probeMark = "kamal-op's preload is loaded"

// probe is the Kamal at path, with the version that it prints.
func probe(ctx context.Context, path string, o FindOptions) (Binary, error) {
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cmd := NewCommand(limited, path, "version")
	cmd.Dir = o.Dir
	cmd.Env = o.Env
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	if o.Preload != "" {
		cmd.Env = append(cmd.Env, "RUBYOPT="+RubyOptions(o.Preload, environ.List(o.Env).Get("RUBYOPT")), "KAMAL_OP_PROBE="+probeMark)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case limited.Err() != nil && ctx.Err() == nil:
		return Binary{}, fmt.Errorf("its version command took longer than %s", o.Timeout)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		if line := LastLine(stderr.String()); line != "" {
			return Binary{}, fmt.Errorf("%s (%w)", line, err)
		}
		return Binary{}, err
	}
	found := versionLine().FindAllStringSubmatch(stdout.String(), -1)
	if len(found) == 0 {
		return Binary{}, errors.New("its version command prints no version")
	}
	return Binary{
		Path: path, Version: found[len(found)-1][1], Preload: strings.Contains(stdout.String(), probeMark),
	}, nil
}

var lockedKamal = lazy.Regexp(`(?m)^    kamal \(([^)\s]+)\)\s*$`)

// WithLock adds a notice where Gemfile.lock names another version than b's.
func WithLock(b Binary, dir string) Binary {
	text, err := os.ReadFile(filepath.Join(dir, "Gemfile.lock"))
	if err != nil {
		return b
	}
	if m := lockedKamal().FindSubmatch(text); m != nil && string(m[1]) != b.Version {
		b.Notices = append(b.Notices, fmt.Sprintf("Gemfile.lock names kamal %s, this run uses %s", m[1], b.Version))
	}
	return b
}
