package kamal

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A ConfigEdit changes deploy.yml, or a destination's file, in place. Every byte
// that a change is not about stays. After each change the file is read again; a
// change that would make anything else of it read otherwise is refused, and
// leaves the text as it was.
type ConfigEdit struct {
	name    string
	text    string
	lines   []int
	root    *node
	unknown []problem.Place
}

// EditConfig begins a change of the text of a YAML file.
func EditConfig(name, text string) (*ConfigEdit, error) {
	e := &ConfigEdit{name: name}
	return e, e.read(text)
}

// Text is the file as changed so far.
func (e *ConfigEdit) Text() string { return e.text }

func (e *ConfigEdit) read(text string) error {
	if yamlfile.LoneCR(text) {
		p := problem.New("it has a carriage return within a line, which YAML takes for its end", "end its lines with LF alone, or with CR LF").About(problem.UnreadableFile)
		p.Place = problem.Place{File: e.name}
		return p
	}
	root, unknown, err := parseYAML(e.name, []byte(text))
	if err != nil {
		return err
	}
	e.text, e.root, e.unknown, e.lines = text, root, unknown, lineStarts(text)
	return nil
}

// Uses is every place of this file that names a secret.
func (e *ConfigEdit) Uses() []Use {
	c := &Config{Files: []string{e.name}}
	c.take(e.root)
	return c.Uses
}

// Has reports whether the file itself says anything under a key.
func (e *ConfigEdit) Has(key ...string) bool { return e.at(key) != nil }

func (e *ConfigEdit) at(key []string) *node {
	n := e.root
	for _, k := range key {
		n = n.get(k)
	}
	return n
}

// change makes a change; allowed says which of the values that come or go with it
// may.
func (e *ConfigEdit) change(s textEdit, allowed func(value string) bool) error {
	before := *e
	was := values(e.root)
	err := e.read(s.apply(e.text))
	ok := err == nil && !oldLines(before.text) && len(e.unknown) == len(before.unknown)
	if ok {
		ok = sameValues(was, values(e.root), allowed)
	}
	if ok && strings.Contains(before.text, "<%") {
		ok = sameValues(values(before.open().root), values(e.open().root), allowed)
	}
	if !ok {
		*e = before
		return e.refuse("cannot be changed here without changing what other lines of it mean", s.from)
	}
	return nil
}

// sameValues reports whether only values that may have come or gone.
func sameValues(was, is map[string]int, allowed func(value string) bool) bool {
	for v, n := range was {
		is[v] -= n
	}
	for v, n := range is {
		if n != 0 && !allowed(v[strings.IndexByte(v, '\x00')+1:]) {
			return false
		}
	}
	return true
}

// values counts what a tree says, as key, NUL and value. Items of a list have
// their list's key.
func values(root *node) map[string]int {
	count := map[string]int{}
	var walk func(n *node, key string, depth int)
	walk = func(n *node, key string, depth int) {
		if depth > maxDepth {
			return
		}
		switch {
		case n == nil || n.kind == null || n.kind == mapping && len(n.entries) == 0 || n.kind == sequence && len(n.items) == 0:
			count[key+"\x00"]++
		case n.kind == scalar:
			count[key+"\x00"+n.text]++
		}
		if n == nil {
			return
		}
		for _, e := range n.entries {
			walk(e.value, key+"."+e.key.text, depth+1)
		}
		for _, item := range n.items {
			walk(item, key+"[]", depth+1)
		}
	}
	walk(root, "", 0)
	return count
}

func (e *ConfigEdit) refuse(what string, offset int) *problem.Problem {
	line, found := slices.BinarySearch(e.lines, offset)
	if !found {
		line--
	}
	return problem.New(e.name+" "+what, "change it by hand").At(e.name, line+1, 0)
}

// Add adds an entry to the list of secrets at key, such as env, secret. The list
// is made where it is not there, and an env that is to hold it; a role, an
// accessory and a tag must be there. What ERB decides is refused.
func (e *ConfigEdit) Add(entry string, key ...string) error {
	before, uses := *e, len(e.Uses())
	err := e.add(entry, key)
	if err == nil && len(e.Uses()) <= uses {
		*e = before // such as in a second document, which Kamal does not read
		return e.refuse("has no place for "+entry+" at "+strings.Join(key, "."), 0)
	}
	return err
}

func (e *ConfigEdit) add(entry string, key []string) error {
	path := strings.Join(key, ".")
	parent, depth := e.root, 0
	for depth < len(key) {
		next := parent.get(key[depth])
		if next == nil {
			break
		}
		parent, depth = next, depth+1
	}
	at, _ := offsetOf(e.text, e.lines, parent.place)
	if parent.erb || depth < len(key) && e.hiddenKey(key[len(key)-1]) {
		p := problem.New("ERB decides here what "+path+" holds: "+entry+" cannot be added to it", "add it by hand")
		p.Place = parent.place
		if !parent.erb {
			p.Place = e.unknown[0]
		}
		return p
	}
	allowed := func(v string) bool { return v == entry || v == "" }
	if depth == len(key) {
		switch parent.kind {
		case sequence:
			return e.addItem(parent, entry, path, allowed)
		case null:
			return e.addUnder(parent, key[depth:], entry, allowed)
		}
		return e.refuse("has no list at "+path, at)
	}
	if made := key[depth:]; len(made) > 2 || !slices.Contains([]string{"env", "builder", "secret", "secrets"}, made[0]) {
		return problem.New(e.name+" has no "+strings.Join(key[:depth+1], "."), "name it in deploy.yml first")
	}
	switch parent.kind {
	case mapping, null:
		return e.addUnder(parent, key[depth:], entry, allowed)
	case sequence:
		p := e.refuse("has the hosts of "+strings.Join(key[:depth], ".")+" as a list, which has no place for env", at)
		p.Hint = "write them as `hosts: […]` under " + strings.Join(key[:depth], ".") + " first, or add the secret to all roles"
		return p
	}
	return e.refuse("has no place for "+path, at)
}

// hiddenKey reports whether a key may stand in what ERB decides.
func (e *ConfigEdit) hiddenKey(key string) bool {
	if len(e.unknown) == 0 {
		return false
	}
	plain, _ := passERB(e.text)
	return strings.Count(e.text, key) != strings.Count(plain, key) || len(e.root.entries) == 0
}

// addItem puts an entry behind the last of a list.
func (e *ConfigEdit) addItem(list *node, entry, path string, allowed func(string) bool) error {
	at, ok := offsetOf(e.text, e.lines, list.place)
	if !ok {
		return e.refuse("has a list at "+path+" that cannot be changed", 0)
	}
	flow := at < len(e.text) && e.text[at] == '['
	if len(list.items) == 0 {
		if !flow {
			return e.refuse("has a list at "+path+" that cannot be changed", at)
		}
		return e.change(textEdit{at + 1, at + 1, inFlow(entry)}, allowed)
	}
	last := list.items[len(list.items)-1]
	if last.erb || last.kind != scalar {
		p := problem.New("ERB decides here what "+path+" holds: "+entry+" cannot be added to it", "add it by hand")
		if !last.erb {
			p = e.refuse("has something that is no name in the list at "+path, at)
		}
		p.Place = last.place
		return p
	}
	from, to, ok := e.scalarSpan(last)
	if !ok {
		return e.refuse("has a list at "+path+" that cannot be changed", at)
	}
	written := entry
	if quote := e.text[from]; quote == '"' || quote == '\'' {
		written = string(quote) + entry + string(quote)
	}
	if flow {
		if written == entry {
			written = inFlow(entry)
		}
		gap := ", "
		if len(list.items) > 1 {
			if _, before, ok := e.scalarSpan(list.items[len(list.items)-2]); ok && before < from {
				if g := e.text[before:from]; strings.HasPrefix(strings.TrimLeft(g, " \t\r\n"), ",") && !strings.Contains(g, "#") {
					gap = g
				}
			}
		}
		return e.change(textEdit{to, to, gap + written}, allowed)
	}
	start, end := lineAround(e.text, from)
	dash := e.text[start:from]
	if strings.Trim(dash, " -") != "" || strings.Count(dash, "-") != 1 {
		return e.refuse("has an entry in the list at "+path+" that is written in a way of its own", from)
	}
	return e.change(insertLines(e.text, end, endOfLine(e.text, start), dash+written), allowed)
}

// inFlow is an entry as it stands in a list on one line, where older parsers take
// a colon for more than text.
func inFlow(entry string) string {
	if strings.Contains(entry, ":") {
		return `"` + entry + `"`
	}
	return entry
}

// scalarSpan is where a scalar stands, with its quotes. ok is false where it is
// written in another way than as one word.
func (e *ConfigEdit) scalarSpan(n *node) (from, to int, ok bool) {
	from, ok = offsetOf(e.text, e.lines, n.place)
	if !ok || from >= len(e.text) {
		return 0, 0, false
	}
	if quote := e.text[from]; quote == '"' || quote == '\'' {
		to = from + 1 + len(n.text) + 1
		return from, to, to <= len(e.text) && e.text[from+1:to] == n.text+string(quote)
	}
	to = from + len(n.text)
	return from, to, n.text != "" && strings.HasPrefix(e.text[from:], n.text)
}

// addUnder makes the keys under parent, the last of them a list with the entry.
func (e *ConfigEdit) addUnder(parent *node, keys []string, entry string, allowed func(string) bool) error {
	at, ok := offsetOf(e.text, e.lines, parent.place)
	if parent.kind == mapping && ok && at < len(e.text) && e.text[at] == '{' {
		text := entry
		for i, k := range slices.Backward(keys) {
			if text = k + ": [" + inFlow(entry) + "]"; i < len(keys)-1 {
				text = k + ": {" + keys[i+1] + ": [" + inFlow(entry) + "]}"
			}
		}
		if len(parent.entries) > 0 {
			text += ", "
		}
		return e.change(textEdit{at + 1, at + 1, text}, allowed)
	}
	step, indent, end := e.indentStep(), 0, len(e.text)
	if parent != e.root {
		key, line := e.keyOf(parent)
		if key == nil {
			return e.refuse("has no place for "+strings.Join(keys, "."), at)
		}
		indent = key.place.Column - 1 + step
		if parent.kind == mapping && len(parent.entries) > 0 {
			indent = parent.entries[0].key.place.Column - 1
		}
		end = e.endOfBlock(line, key.place.Column-1)
		if at, ok := e.tagAlone(e.lines[line-1], end); ok {
			p := problem.New("ERB decides here what stands under "+key.text+": "+entry+" cannot be added to it", "add it by hand")
			p.Place = at
			return p
		}
	} else if len(parent.entries) > 0 {
		indent = parent.entries[0].key.place.Column - 1
	}
	var lines []string
	for i, k := range keys {
		lines = append(lines, strings.Repeat(" ", indent+i*step)+k+":")
	}
	dash := strings.Repeat(" ", indent+len(keys)*step)
	if len(keys) == 0 { // the list's key is there, without a value
		dash = strings.Repeat(" ", indent)
	}
	lines = append(lines, dash+"- "+entry)
	return e.change(insertLines(e.text, end, endOfLine(e.text, max(0, end-1)), lines...), allowed)
}

// tagAlone is a tag of ERB between two offsets that gives whole lines.
func (e *ConfigEdit) tagAlone(from, to int) (problem.Place, bool) {
	for _, at := range e.unknown {
		offset, ok := offsetOf(e.text, e.lines, at)
		if ok && offset >= from && offset < to && strings.TrimSpace(e.text[e.lines[at.Line-1]:offset]) == "" {
			return at, true
		}
	}
	return problem.Place{}, false
}

// keyOf is the key whose value n is, and the line that it stands in.
func (e *ConfigEdit) keyOf(n *node) (key *node, line int) {
	_, chain := find(e.root, n, 0)
	if len(chain) == 0 {
		return nil, 0
	}
	last := chain[len(chain)-1]
	return last.key, last.key.place.Line
}

// endOfBlock is the offset behind the last line that belongs to the block whose
// key stands in a line at an indentation: what is blank behind it does not.
func (e *ConfigEdit) endOfBlock(line, indent int) int {
	end := line
	for i := line; i < len(e.lines); i++ {
		_, to := lineAround(e.text, e.lines[i])
		text := e.text[e.lines[i]:to]
		trimmed := strings.TrimLeft(text, " ")
		if strings.TrimSpace(trimmed) == "" {
			continue
		}
		if len(text)-len(trimmed) <= indent {
			if trimmed[0] == '#' {
				continue
			}
			break
		}
		end = i + 1
	}
	if end < len(e.lines) {
		return e.lines[end]
	}
	return len(e.text)
}

// indentStep is how far the file indents what is under a key.
func (e *ConfigEdit) indentStep() int {
	for _, top := range e.root.entries {
		if v := top.value; v.kind == mapping && len(v.entries) > 0 && v.entries[0].key.place.Line > top.key.place.Line {
			if by := v.entries[0].key.place.Column - top.key.place.Column; by > 0 && by <= 8 {
				return by
			}
		}
	}
	return 2
}
