package main

import "io"

// dfa is Aho and Corasick's automaton as the textbooks have it, with a full table
// of 256 next states and exact hold-back: what is right, and simple.
type dfa struct {
	next  [][256]int32
	match []int32 // the longest pattern that ends in a state
	depth []int32
}

func newDFA(patterns []string) *dfa {
	d := &dfa{next: make([][256]int32, 1), match: make([]int32, 1), depth: make([]int32, 1)}
	for _, p := range patterns {
		s := int32(0)
		for i := range len(p) {
			if d.next[s][p[i]] == 0 {
				d.next = append(d.next, [256]int32{})
				d.match = append(d.match, 0)
				d.depth = append(d.depth, int32(i+1))
				d.next[s][p[i]] = int32(len(d.next) - 1)
			}
			s = d.next[s][p[i]]
		}
		d.match[s] = int32(len(p))
	}
	fail := make([]int32, len(d.next))
	queue := []int32{}
	for _, s := range d.next[0] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		f := fail[s]
		d.match[s] = max(d.match[s], d.match[f])
		for c := range 256 {
			if t := d.next[s][c]; t != 0 {
				fail[t] = d.next[f][c]
				queue = append(queue, t)
			} else {
				d.next[s][c] = d.next[f][c]
			}
		}
	}
	return d
}

// dfaWriter masks one stream.
type dfaWriter struct {
	*dfa
	out        io.Writer
	state      int32
	held       []byte
	covered    int
	inRun      bool
	work, done []byte
	found      []span
}

type span struct{ start, end int }

func (w *dfaWriter) Write(p []byte) (int, error) {
	text, own := p, len(w.held)
	if own > 0 {
		w.work = append(append(w.work[:0], w.held...), p...)
		text = w.work
	}
	state, next, match := w.state, w.next, w.match
	found := w.found[:0]
	for i := own; i < len(text); i++ {
		state = next[state][text[i]]
		if n := int(match[state]); n > 0 {
			r := span{i + 1 - n, i + 1}
			for len(found) > 0 && found[len(found)-1].end >= r.start {
				r.start = min(r.start, found[len(found)-1].start)
				found = found[:len(found)-1]
			}
			found = append(found, r)
		}
	}
	w.state, w.found = state, found
	hold := len(text) - int(w.depth[state])
	if len(found) == 0 && w.covered == 0 {
		w.held = append(w.held[:0], text[hold:]...)
		if hold > 0 {
			w.inRun = false
			return len(p), write(w.out, text[:hold])
		}
		return len(p), nil
	}
	out, pos := w.done[:0], w.covered
	for _, r := range found {
		if r.start > pos || !w.inRun {
			out = append(append(out, text[pos:r.start]...), "***"...)
			w.inRun = true
		}
		pos = max(pos, r.end)
	}
	if pos < hold {
		out = append(out, text[pos:hold]...)
		w.inRun = false
		pos = hold
	}
	w.covered = pos - hold
	w.held = append(w.held[:0], text[hold:]...)
	w.done = out
	return len(p), write(w.out, out)
}

func write(w io.Writer, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := w.Write(p)
	return err
}
