package kamal

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

//go:embed rawconfig.rb
var rawConfigRuby []byte

// LoadConfig is the configuration as Kamal itself loads it: the project's ERB is
// run, in Kamal's own process, without credentials of ours. The places are those
// of the files' text, as far as it has what Kamal says; else that of the ERB.
func LoadConfig(ctx context.Context, binary Binary, o ProjectOptions, env []string) (*Config, error) {
	written, err := ReadConfig(o) // for the places; also the better message where a file is not there
	if err != nil {
		return nil, err
	}
	root, err := loadRaw(ctx, binary, o, env)
	if err != nil {
		return nil, err
	}
	c := &Config{Files: written.Files}
	c.take(root)
	texts := make([]string, len(c.Files))
	for i, name := range c.Files {
		text, err := os.ReadFile(inDir(o.Dir, name))
		if err != nil {
			return nil, fmt.Errorf("reading %s again: %w", name, err)
		}
		texts[i] = string(text)
	}
	place := func(u Use, known []Use) problem.Place {
		for _, k := range known {
			if k.Key == u.Key && k.As == u.As && k.Name == u.Name {
				return k.Place
			}
		}
		for i := range slices.Backward(texts) {
			if at, ok := wordIn(texts[i], u.Name); ok {
				at.File = c.Files[i]
				return at
			}
		}
		if len(written.Unknown) > 0 {
			return written.Unknown[0]
		}
		return problem.Place{File: c.Files[0], Line: 1}
	}
	for i, u := range c.Uses {
		c.Uses[i].Place = place(u, written.Uses)
	}
	for i, u := range c.Clear {
		c.Clear[i].Place = place(u, written.Clear)
	}
	c.sortUses()
	return c, nil
}

// wordIn is the first place of a name in a text, as a whole word.
func wordIn(text, name string) (problem.Place, bool) {
	line := 0
	for l := range strings.Lines(text) {
		line++
		for from := 0; ; {
			i := strings.Index(l[from:], name)
			if i < 0 {
				break
			}
			i += from
			end := i + len(name)
			if (i == 0 || !isName(l[i-1:i])) && (end >= len(l) || !isName(l[end:end+1])) {
				return problem.Place{Line: line, Column: len([]rune(l[:i])) + 1}, true
			}
			from = i + 1
		}
	}
	return problem.Place{}, false
}

// loadRaw has Kamal load the configuration.
func loadRaw(ctx context.Context, binary Binary, o ProjectOptions, env []string) (*node, error) {
	dir, err := os.MkdirTemp("", "kamal-op-config-")
	if err != nil {
		return nil, fmt.Errorf("a directory for Kamal's configuration: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	script := filepath.Join(dir, "rawconfig.rb")
	if err := os.WriteFile(script, rawConfigRuby, 0o600); err != nil {
		return nil, fmt.Errorf("writing what Kamal loads: %w", err)
	}
	config := o.ConfigFile
	if config == "" {
		config = DefaultConfigFile
	}
	marker := "kamal-op-" + rand.Text() + ":"
	env = WithoutCredentials(env)
	var option string
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "RUBYOPT="); ok {
			option = value
		}
	}
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary.Path, "version")
	cmd.Dir = o.Dir
	cmd.Env = slices.Concat(env, []string{
		"RUBYOPT=" + RubyOptions(script, option), "KAMAL_OP_RAW=" + marker, "KAMAL_OP_RAW_CONFIG=" + config, "KAMAL_OP_RAW_DESTINATION=" + o.Destination,
	})
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	endsWhole(cmd)
	runErr := cmd.Run()
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return nil, err
	}
	_, line, found := strings.Cut(stdout.String(), "\n"+marker)
	if !found {
		p := problem.New("kamal at "+binary.Path+" does not tell its configuration", "try `kamal config` in the project's directory, or check without --erb")
		if said := lastLine(stderr.String()); said != "" {
			p.Details = append(p.Details, said)
		} else if runErr != nil {
			p.Details = append(p.Details, runErr.Error())
		}
		return nil, p
	}
	line, _, _ = strings.Cut(line, "\n")
	var answer struct {
		Raw   any
		Error string
	}
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading Kamal's configuration: %w", err)
	}
	if f, ok := ExplainConfig(o, answer.Error); ok {
		p := problem.New(f.Message(), f.Hint())
		p.Place = f.Place
		return nil, p
	}
	if answer.Error != "" {
		p := problem.New("Kamal does not load "+config+": "+strings.Join(strings.Fields(answer.Error), " "), "`kamal config` in the project's directory says the same")
		p.Place.File = config
		return nil, p
	}
	return nodeOf(answer.Raw), nil
}

// nodeOf is a value of JSON as a node. Its entries are in the order of their
// names: JSON's own is lost.
func nodeOf(value any) *node {
	switch v := value.(type) {
	case map[string]any:
		n := &node{kind: mapping}
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			n.entries = append(n.entries, entry{&node{kind: scalar, text: key}, nodeOf(v[key])})
		}
		return n
	case []any:
		n := &node{kind: sequence}
		for _, item := range v {
			n.items = append(n.items, nodeOf(item))
		}
		return n
	case nil:
		return &node{kind: null}
	}
	return &node{kind: scalar, text: fmt.Sprint(value)}
}
