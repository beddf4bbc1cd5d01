package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A mutant is one small change of a package's source.
type mutant struct {
	file         string // of the package's own directory
	line, column int
	kind         string // gremlins' name of it
	covered      bool   // a test comes to it, as gremlins sees it
}

func (m mutant) position() string { return fmt.Sprintf("%s:%d:%d", m.file, m.line, m.column) }

func compare(a, b mutant) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column), cmp.Compare(a.kind, b.kind))
}

// replacements are what gremlins puts in the place of a token, by its kind.
var replacements = map[string]map[token.Token]token.Token{
	"ARITHMETIC_BASE":       {token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL},
	"CONDITIONALS_BOUNDARY": {token.GEQ: token.GTR, token.GTR: token.GEQ, token.LEQ: token.LSS, token.LSS: token.LEQ},
	"CONDITIONALS_NEGATION": {token.EQL: token.NEQ, token.NEQ: token.EQL, token.GEQ: token.LSS, token.LSS: token.GEQ, token.GTR: token.LEQ, token.LEQ: token.GTR},
	"INCREMENT_DECREMENT":   {token.INC: token.DEC, token.DEC: token.INC},
	"INVERT_LOGICAL":        {token.LAND: token.LOR, token.LOR: token.LAND},
	"INVERT_NEGATIVES":      {token.SUB: token.ADD},
}

// list asks gremlins for the mutants of the package in a directory.
func list(gremlins, dir string) ([]mutant, error) {
	file, err := os.CreateTemp("", "kamal-op-gremlins.*.json")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := file.Close(); err != nil {
		return nil, err
	}
	cmd := exec.Command(gremlins, "unleash", "--dry-run", "--silent", "--invert-logical", "--output", file.Name(), dir)
	// It finds out which tests come where by running them: those that are tried below.
	cmd.Env = append(cmd.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -short"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gremlins: %w\n%s", err, out)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		return nil, err
	}
	return parse(text)
}

// parse reads what gremlins reports. It goes into the packages below as well, which
// are not asked for.
func parse(report []byte) ([]mutant, error) {
	var result struct {
		Files []struct {
			Name      string `json:"file_name"`
			Mutations []struct {
				Type, Status string
				Line, Column int
			}
		}
	}
	if err := json.Unmarshal(report, &result); err != nil {
		return nil, err
	}
	var all []mutant
	for _, f := range result.Files {
		if strings.ContainsRune(f.Name, filepath.Separator) {
			continue
		}
		for _, m := range f.Mutations {
			if replacements[m.Type] == nil {
				return nil, fmt.Errorf("gremlins has a kind of change that is not known here: %s", m.Type)
			}
			all = append(all, mutant{f.Name, m.Line, m.Column, m.Type, m.Status == "RUNNABLE"})
		}
	}
	return all, nil
}

// apply makes the change in the text of the file.
func (m mutant) apply(source []byte) ([]byte, error) {
	files := token.NewFileSet()
	file := files.AddFile(m.file, -1, len(source))
	var tokens scanner.Scanner
	tokens.Init(file, source, nil, 0)
	for {
		pos, found, _ := tokens.Scan()
		if found == token.EOF {
			return nil, errors.New(m.position() + ": there is no token")
		}
		at := files.PositionFor(pos, false)
		if at.Line != m.line || at.Column != m.column {
			continue
		}
		replacement, ok := replacements[m.kind][found]
		if !ok {
			return nil, fmt.Errorf("%s: nothing takes the place of %s in a %s", m.position(), found, m.kind)
		}
		rest := source[at.Offset+len(found.String()):]
		return []byte(string(source[:at.Offset]) + replacement.String() + string(rest)), nil
	}
}
