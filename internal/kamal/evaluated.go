package kamal

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// Evaluated is the configuration of which Kamal has run the ERB: raw is what JSON
// has of it. The places are those of c, which was read from the files' text, as far
// as it has what Kamal says; else those of the ERB.
func (c *Config) Evaluated(o ProjectOptions, raw any) (*Config, error) {
	written := c
	c = ConfigOf(raw)
	c.Files = written.Files
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

// ConfigOf is the configuration that Kamal has loaded, without places: raw is what
// JSON has of it.
func ConfigOf(raw any) *Config {
	c := &Config{}
	c.take(nodeOf(raw))
	return c
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
