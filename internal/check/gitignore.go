package check

import (
	"bufio"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// IgnoredByGit reports whether a pattern of the .gitignore files beside the project
// and in the folders down to the file hides it, which pattern, and where it
// stands. The patterns are gitignore(5)'s; of several the last one that matches
// counts, and git itself is not asked: nothing is run.
func IgnoredByGit(dir, file string) (pattern string, at problem.Place, ignored bool) {
	if filepath.IsAbs(file) {
		return "", at, false
	}
	file = path.Clean(filepath.ToSlash(file))
	folder := ""
	for {
		name := path.Join(folder, ".gitignore")
		rest := strings.TrimPrefix(strings.TrimPrefix(file, folder), "/")
		if p, line, ok, matched := lastMatch(filepath.Join(dir, name), rest); matched {
			pattern, at, ignored = p, problem.Place{File: name, Line: line}, ok
		}
		next, _, deeper := strings.Cut(rest, "/")
		if !deeper {
			return pattern, at, ignored
		}
		folder = path.Join(folder, next)
	}
}

// lastMatch is the last pattern of a .gitignore that matches the path, and
// whether it hides it.
func lastMatch(gitignore, file string) (pattern string, line int, hides, matched bool) {
	f, err := os.Open(gitignore)
	if err != nil {
		return "", 0, false, false
	}
	defer func() { _ = f.Close() }()
	scanner := bufio.NewScanner(f)
	for n := 1; scanner.Scan(); n++ {
		text := strings.TrimRight(scanner.Text(), " \r")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		bare, negated := strings.CutPrefix(text, "!")
		if matches(bare, file) {
			pattern, line, hides, matched = text, n, !negated, true
		}
	}
	return pattern, line, hides, matched
}

// matches reports whether a pattern matches a path or one of the folders above it.
func matches(pattern, file string) bool {
	pattern, foldersOnly := strings.CutSuffix(pattern, "/")
	anchored := strings.Contains(pattern, "/")
	pattern = strings.TrimPrefix(pattern, "/")
	pattern = strings.TrimPrefix(pattern, "**/")
	pattern = strings.TrimSuffix(pattern, "/**")
	parts := strings.Split(file, "/")
	last := len(parts)
	if foldersOnly {
		last--
	}
	for end := 1; end <= last; end++ {
		candidate := strings.Join(parts[:end], "/")
		if !anchored {
			candidate = parts[end-1]
		}
		if ok, err := path.Match(pattern, candidate); err == nil && ok {
			return true
		}
	}
	return false
}
