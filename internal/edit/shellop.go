package edit

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// publishesOp is where 1Password publishes op: archives, and packages with their keys.
var publishesOp = lazy.Regexp(`https://(?:cache\.agilebits\.com/dist/1P/op2/|downloads\.1password\.com/linux/)`)

// fetchers are programs that get op, or say where packages of it are; with nothing else
// in a statement they do no more than that.
var fetchers = strings.Fields("curl wget gpg tee echo dpkg mkdir")

// bringsOp tells whether a statement does nothing but bring op, which kamal-op is in its
// image: gets it from 1Password, unpacks it, puts it onto the PATH, takes the archive away.
func (j *shellJob) bringsOp(stmt *syntax.Stmt) bool {
	if stmt.Background || stmt.Negated || stmt.Coprocess {
		return false
	}
	if publishesOp().MatchString(source(stmt)) {
		var words [][]string
		syntax.Walk(stmt, func(n syntax.Node) bool {
			if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 0 {
				words = append(words, plainWords(call))
			}
			return true
		})
		if len(words) == 0 || slices.ContainsFunc(words, func(w []string) bool { return len(w) == 0 || !slices.Contains(fetchers, w[0]) }) {
			return false
		}
		for _, w := range words {
			j.opFiles = append(j.opFiles, savedBy(w)...)
		}
		for _, r := range stmt.Redirs {
			j.opFiles = append(j.opFiles, wordText(r.Word))
		}
		return true
	}
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(j.opFiles) == 0 || len(stmt.Redirs) > 0 || substitutes(stmt) {
		return false
	}
	return j.placesOp(plainWords(call))
}

// savedBy are the files that curl or wget saves what it gets under.
func savedBy(words []string) (files []string) {
	for i, word := range words {
		switch {
		case strings.HasPrefix(word, "https://"):
			files = append(files, path.Base(word))
		case i > 0 && !isFlag(word) && savesUnder().MatchString(words[i-1]):
			files = append(files, word)
		}
	}
	return files
}

var savesUnder = lazy.Regexp(`^(?:-[A-Za-z]*[oO]|--output|--output-document)$`)

// plainWords are the words of a call, without sudo.
func plainWords(call *syntax.CallExpr) []string {
	var words []string
	for _, w := range call.Args {
		words = append(words, wordText(w))
	}
	if len(words) > 0 && words[0] == "sudo" {
		words = words[1:]
	}
	return words
}

// placesOp tells whether a call handles nothing but op and what it came in.
func (j *shellJob) placesOp(words []string) bool {
	if len(words) < 2 {
		return false
	}
	of := slices.DeleteFunc(slices.Clone(words[1:]), isFlag)
	switch words[0] {
	case "unzip": // -d DIRECTORY stands anywhere
		if d := slices.Index(words, "-d"); d > 0 && d+1 < len(words) {
			of = slices.DeleteFunc(of, func(word string) bool { return word == words[d+1] })
		}
		return slices.ContainsFunc(of, j.isOfOp) && !slices.ContainsFunc(of, func(word string) bool { return !j.isOfOp(word) })
	case "rm":
		return len(of) > 0 && !slices.ContainsFunc(of, func(word string) bool { return !j.isOfOp(word) })
	case "mv", "cp", "install", "chmod":
		return slices.ContainsFunc(of, j.isOfOp) && !slices.ContainsFunc(of, func(word string) bool { return !j.isOfOp(word) && !ofPlacing().MatchString(word) })
	case "op":
		return len(words) == 2 && (words[1] == "--version" || words[1] == "-v")
	}
	return false
}

// isOfOp tells whether a word is op as a file, or what op came in.
func (j *shellJob) isOfOp(word string) bool {
	base := path.Base(word)
	return !strings.Contains(word, "://") && (base == "op" || base == "op.sig" || slices.Contains(j.opFiles, word))
}

// ofPlacing is a directory of programs, or a mode.
var ofPlacing = lazy.Regexp(`^(?:(?:/usr)?(?:/local)?/bin/?|[0-7]{3,4}|[ugoa]*[+=][rwx]+)$`)

// usesOp tells whether a statement takes op, which is no file of the job's any more, or
// what it came in, for an argument.
func (j *shellJob) usesOp(stmt *syntax.Stmt) bool {
	found := false
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && len(j.opFiles) > 0 && len(call.Args) > 0 {
			found = found || slices.ContainsFunc(call.Args[1:], func(w *syntax.Word) bool { return j.isOfOp(wordText(w)) })
		}
		return !found
	})
	return found
}
