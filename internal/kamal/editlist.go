package kamal

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// Remove takes every entry out of the lists of secrets that names the secret, and
// with the last entry the list. A place that is no list and cannot do without a
// name is a problem. In a destination's file base is the one that it is merged into,
// else nil: a list that replaces one of base stays, with nothing in it, since base's
// own would come to light.
func (e *ConfigEdit) Remove(name string, base *ConfigEdit) error {
	var problems problem.List
	seen := map[problem.Place]bool{}
	if at, ok := e.InERB(name); ok {
		problems = append(problems, problem.Of(decidedByERB(name, at))...)
	}
	for {
		i := slices.IndexFunc(e.Uses(), func(u Use) bool { return u.Name == name && !seen[u.Place] })
		if i < 0 {
			return problems.Err()
		}
		u := e.Uses()[i]
		list, item := e.listOf(u)
		if list == nil || !strings.HasSuffix(u.Key, ".secret") && !strings.HasSuffix(u.Key, ".secrets") && u.Key != "ssh.key_data" {
			seen[u.Place] = true
			p := problem.New(name+" is named under "+u.Key+", which cannot do without it", "name another secret there first, or take the whole key out")
			p.Place = u.Place
			problems = append(problems, p)
			continue
		}
		keep := base != nil && base.Has(e.KeyOf(u.Place)...)
		if err := e.removeItem(list, item, u, keep); err != nil {
			seen[u.Place] = true
			problems = append(problems, problem.Of(err)...)
		}
	}
}

// listOf is the list that has the entry at a use's place.
func (e *ConfigEdit) listOf(u Use) (list *node, item int) {
	var walk func(n *node, depth int)
	walk = func(n *node, depth int) {
		if n == nil || list != nil || depth > maxDepth {
			return
		}
		for i, it := range n.items {
			if it.place == u.Place && it.kind == scalar {
				list, item = n, i
				return
			}
			walk(it, depth+1)
		}
		for _, entry := range n.entries {
			walk(entry.value, depth+1)
		}
	}
	walk(e.root, 0)
	return list, item
}

func (e *ConfigEdit) removeItem(list *node, item int, u Use, keep bool) error {
	entry := list.items[item].text
	allowed := func(v string) bool { return v == entry || v == "" }
	at, _ := offsetOf(e.text, e.lines, list.place)
	from, to, ok := e.scalarSpan(list.items[item])
	if !ok {
		return e.refuse("has an entry in the list at "+u.Key+" that is written in a way of its own", at)
	}
	if at < len(e.text) && e.text[at] == '[' {
		if keep && len(list.items) == 1 {
			return e.change(textEdit{from, to, ""}, allowed)
		}
		return e.removeFlowItem(list, item, textEdit{from, to, ""}, allowed)
	}
	start, end := lineAround(e.text, from)
	if strings.Trim(e.text[start:from], " -") != "" {
		return e.refuse("has an entry in the list at "+u.Key+" that is written in a way of its own", at)
	}
	if len(list.items) > 1 {
		return e.change(removeLines(e.text, start, end), allowed)
	}
	if keep {
		return e.emptyList(list, removeLines(e.text, start, end), u, allowed)
	}
	// With its only entry a list goes, and what is then empty above it.
	_, chain := find(e.root, list, 0)
	first := list.place.Line
	for _, s := range slices.Backward(chain) {
		line, _ := lineAround(e.text, e.lines[s.key.place.Line-1])
		keyAt, ok := offsetOf(e.text, e.lines, s.key.place)
		if !ok || strings.TrimLeft(e.text[line:keyAt], " ") != "" || s.key.place.Line >= first {
			break
		}
		// Only lines that hold nothing else may go.
		between := e.text[e.lines[s.key.place.Line]:e.lines[first-1]]
		if strings.TrimSpace(between) != "" {
			break
		}
		first, start = s.key.place.Line, line
		if len(s.in.entries) > 1 {
			break
		}
	}
	if first == list.place.Line {
		return e.refuse("has a list at "+u.Key+" that cannot be taken out", at)
	}
	return e.change(removeLines(e.text, start, end), allowed)
}

// emptyList takes the only entry of a list out, and leaves the list.
func (e *ConfigEdit) emptyList(list *node, entry textEdit, u Use, allowed func(string) bool) error {
	key, _ := e.keyOf(list)
	at := -1
	if key != nil {
		if _, to, ok := e.scalarSpan(key); ok && to < len(e.text) && e.text[to] == ':' && to < entry.from {
			at = to + 1
		}
	}
	if at < 0 {
		return e.refuse("has a list at "+u.Key+" that cannot be emptied", entry.from)
	}
	between := e.text[at:entry.from]
	return e.change(textEdit{at, entry.to, " []" + between + entry.text}, allowed)
}

func (e *ConfigEdit) removeFlowItem(list *node, item int, s textEdit, allowed func(string) bool) error {
	switch {
	case item > 0:
		_, s.from, _ = e.scalarSpan(list.items[item-1])
	case len(list.items) > 1:
		s.to, _ = offsetOf(e.text, e.lines, list.items[1].place)
	default:
		_, chain := find(e.root, list, 0)
		end := strings.IndexByte(e.text[s.to:], ']')
		for i, c := range slices.Backward(chain) {
			in, ok := offsetOf(e.text, e.lines, c.in.place)
			if !ok || c.in == e.root || e.text[in] != '{' || end < 0 {
				break
			}
			// In a mapping on one line the key goes too, with what parts it from
			// the others.
			keyAt, _ := offsetOf(e.text, e.lines, c.key.place)
			key := textEdit{keyAt, s.to + end + 1, ""}
			if n := len(c.in.entries); n > 1 {
				if c.in.entries[n-1].key == c.key {
					before := strings.LastIndexByte(e.text[:keyAt], ',')
					key.from = max(before, in+1)
				} else {
					rest := strings.TrimPrefix(strings.TrimPrefix(e.text[key.to:], ","), " ")
					key.to = len(e.text) - len(rest)
				}
			} else if i > 0 {
				if above, ok := offsetOf(e.text, e.lines, chain[i-1].in.place); ok && e.text[above] == '{' {
					if close := strings.IndexByte(e.text[key.to:], '}'); close >= 0 && strings.TrimSpace(e.text[key.to:key.to+close]) == "" {
						s.to, end = key.to, close // the mapping is empty: its key goes as well
						continue
					}
				}
			}
			return e.change(key, allowed)
		}
	}
	return e.change(s, allowed)
}

// Rename gives a secret another name in every place that names it, between lines
// of ERB too. What only ERB itself says is a problem, and then nothing is changed.
func (e *ConfigEdit) Rename(from, to string) error {
	var all []textEdit
	var problems problem.List
	seen := map[problem.Place]bool{}
	renamed := map[string]bool{}
	for _, u := range append(e.Uses(), e.open().Uses()...) {
		if u.Name != from || seen[u.Place] {
			continue
		}
		seen[u.Place] = true
		at, ok := offsetOf(e.text, e.lines, u.Place)
		end := at
		for ok && end < len(e.text) && strings.IndexByte(" \t\r\n,]}#", e.text[end]) < 0 {
			end++
		}
		i := -1
		if ok {
			i = strings.LastIndex(e.text[at:end], from)
		}
		if i < 0 {
			p := problem.New(from+" under "+u.Key+" is written in a way of its own", "rename it by hand")
			p.Place = u.Place
			problems = append(problems, p)
			continue
		}
		all = append(all, textEdit{at + i, at + i + len(from), to})
		written := strings.Trim(e.text[at:end], `"'`)
		renamed[written] = true
		renamed[strings.TrimSuffix(written, from)+to] = true
	}
	if err := problems.Err(); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b textEdit) int { return cmp.Compare(b.from, a.from) })
	text := e.text
	for _, s := range all {
		text = s.apply(text)
	}
	before := *e
	if len(all) > 0 {
		if err := e.change(textEdit{0, len(e.text), text}, func(v string) bool { return renamed[v] }); err != nil {
			return err
		}
	}
	if at, ok := e.InERB(from); ok {
		*e = before
		return decidedByERB(from, at)
	}
	return nil
}

func decidedByERB(name string, at problem.Place) error {
	p := problem.New("ERB decides whether "+name+" is named here", "change it by hand first: nothing has been changed")
	p.Place = at
	return p
}

// KeyOf is the key of the list that has an entry at a place.
func (e *ConfigEdit) KeyOf(at problem.Place) []string {
	list, _ := e.listOf(Use{Place: at})
	if list == nil {
		return nil
	}
	_, chain := find(e.root, list, 0)
	var key []string
	for _, s := range chain {
		key = append(key, s.key.text)
	}
	return key
}
