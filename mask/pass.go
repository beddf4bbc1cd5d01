package mask

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A pass looks for patterns of some minimum length at every step-th place of a
// text only. It knows, for step consecutive offsets of each pattern, the gram
// (the next few bytes) that is there. Wherever an occurrence begins, exactly one
// of those offsets falls on a place that is looked at: so each occurrence is
// found, and found once, with one look at a small table every step bytes. The
// looks do not depend on one another, and almost none finds anything.
type pass struct {
	gram   int    // bytes of text that a look takes in, 1 to 8
	step   int    // bytes from one look to the next
	mask   uint64 // keeps the gram of 8 bytes read
	filter filter
	slots  []slot
}

// slot is a gram of a pattern, in a hash table with linear probing.
type slot struct {
	tag     uint32 // part of the gram's hash
	pattern int32  // its index and 1; 0 is an empty slot
	offset  int32  // of the gram in the pattern
}

// plan divides patterns among as few passes as is fastest. Patterns of very
// different lengths are better looked for in two passes with long steps than in
// one with a short step.
func plan(patterns []string) []pass {
	if len(patterns) == 0 {
		return nil
	}
	// The lengths that a pass may begin with, and how many patterns are from one
	// to the next.
	borders := []int{1, 2, 3, 4, 6, 8, 12, 16, 24}
	type class struct{ shortest, count int }
	classes := make([]class, len(borders))
	for _, p := range patterns {
		k := len(borders) - 1
		for borders[k] > len(p) {
			k--
		}
		c := &classes[k]
		if c.count == 0 || len(p) < c.shortest {
			c.shortest = len(p)
		}
		c.count++
	}
	classes = slices.DeleteFunc(classes, func(c class) bool { return c.count == 0 })

	// The cheapest way to cover classes k and up, for each k from the end.
	type choice struct {
		cost  float64
		until int // the class the next pass begins with
		gram  int
	}
	best := make([]choice, len(classes)+1)
	for k := len(classes) - 1; k >= 0; k-- {
		count := 0
		for until := k + 1; until <= len(classes); until++ {
			count += classes[until-1].count
			gram, cost := bestGram(classes[k].shortest, count)
			cost += best[until].cost
			if until == k+1 || cost < best[k].cost {
				best[k] = choice{cost, until, gram}
			}
		}
	}
	var passes []pass
	for k := 0; k < len(classes); k = best[k].until {
		low, high := classes[k].shortest, int(^uint(0)>>1)
		if until := best[k].until; until < len(classes) {
			high = classes[until].shortest
		}
		passes = append(passes, newPass(patterns, low, high, best[k].gram))
	}
	return passes
}

// bestGram is the length of gram that is cheapest for so many patterns, and what
// a byte of text then costs, in looks.
func bestGram(shortest, count int) (gram int, cost float64) {
	// What going after a gram costs that was found, beside a look; and what a look
	// costs more when the table is too large for the nearest cache.
	const chase, far = 15, 0.5
	// A pass costs something even on a short line.
	const fixed = 0.01
	for g := 1; g <= min(8, shortest); g++ {
		step := shortest - g + 1
		grams := float64(count * step)
		// Text has some 4 bits of surprise a byte: logs are full of hexadecimal.
		hits := min(1, grams/float64(uint64(1)<<(4*g)))
		look := 1 + hits*chase
		if grams > middleGrams {
			look += far
		}
		if c := look/float64(step) + fixed; g == 1 || c < cost {
			gram, cost = g, c
		}
	}
	return gram, cost
}

// newPass makes the pass for the patterns of at least low and less than high
// bytes.
func newPass(patterns []string, low, high, gram int) pass {
	p := pass{gram: gram, step: low - gram + 1, mask: ^uint64(0) >> (64 - 8*gram)}
	count := 0
	for _, text := range patterns {
		if len(text) >= low && len(text) < high {
			count++
		}
	}
	grams := count * p.step
	p.filter = newFilter(grams)
	p.slots = make([]slot, 1<<bits.Len(uint(grams+grams/2)))

	common := newCommon(patterns, low, high, &p)
	for k, text := range patterns {
		if len(text) < low || len(text) >= high {
			continue
		}
		first := common.window(text, &p)
		for offset := first; offset < first+p.step; offset++ {
			h := p.hash(gramAt(text, offset, gram))
			p.filter.add(h)
			for i := p.place(h); ; i = (i + 1) & (len(p.slots) - 1) {
				if p.slots[i].pattern == 0 {
					p.slots[i] = slot{uint32(h >> 16), int32(k + 1), int32(offset)}
					break
				}
			}
		}
	}
	return p
}

func (p *pass) hash(gram uint64) uint64 { return gram * multiplier }

// place is the slot at which the grams of this hash begin.
func (p *pass) place(h uint64) int { return int(h>>40) & (len(p.slots) - 1) }

func gramAt(text string, offset, gram int) uint64 {
	if offset+8 <= len(text) {
		b := text[offset : offset+8]
		x := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		return x & (^uint64(0) >> (64 - 8*gram))
	}
	var x uint64
	for i := gram - 1; i >= 0; i-- {
		x = x<<8 | uint64(text[offset+i])
	}
	return x
}

// scan appends the occurrences in text of the patterns of this pass. It looks from
// the end on, so that at most the first look needs care not to read behind it.
func (p *pass) scan(found []match, text []byte, patterns []string, join bool) []match {
	i := len(text) - p.gram
	if len(text) < 8 {
		for ; i >= 0; i -= p.step {
			var x uint64
			for k := p.gram - 1; k >= 0; k-- {
				x = x<<8 | uint64(text[i+k])
			}
			if h := x * multiplier; p.filter.has(h) {
				found = p.chase(found, text, i, h, patterns, join)
			}
		}
		return found
	}
	last := binary.LittleEndian.Uint64(text[len(text)-8:])
	for ; i > len(text)-8 && i >= 0; i -= p.step {
		if h := (last >> (8 * (i - len(text) + 8) & 63) & p.mask) * multiplier; p.filter.has(h) {
			found = p.chase(found, text, i, h, patterns, join)
		}
	}
	for i >= 0 {
		i = p.filter.look(text, i, p.step, p.mask)
		if i < 0 {
			break
		}
		h := (binary.LittleEndian.Uint64(text[i:]) & p.mask) * multiplier
		found = p.chase(found, text, i, h, patterns, join)
		i -= p.step
	}
	return found
}

// chase appends the occurrences that have a gram of hash h at place i of text.
func (p *pass) chase(found []match, text []byte, i int, h uint64, patterns []string, join bool) []match {
	tag := uint32(h >> 16)
	for k := p.place(h); p.slots[k].pattern != 0; k = (k + 1) & (len(p.slots) - 1) {
		s := p.slots[k]
		if s.tag != tag {
			continue
		}
		start := i - int(s.offset)
		pattern := patterns[s.pattern-1]
		if start < 0 || len(text)-start < len(pattern) || string(text[start:start+len(pattern)]) != pattern {
			continue
		}
		m := match{start, start + len(pattern), int(s.pattern - 1)}
		if !join || !joined(found, m) {
			found = append(found, m)
		}
	}
	return found
}

// joined joins m to the last of found, if the two overlap, so that what is found
// in a text of one letter does not outgrow the text. Which pattern it was is lost.
func joined(found []match, m match) bool {
	if len(found) == 0 {
		return false
	}
	last := &found[len(found)-1]
	if m.start >= last.end || last.start >= m.end {
		return false
	}
	last.start, last.end = min(last.start, m.start), max(last.end, m.end)
	return true
}

// common counts the grams of patterns, to tell which part of a pattern is rare.
type common struct {
	counts []uint8 // by hash, of patterns that hold such a gram; 255 is 255 or more
	shift  uint8
}

// windowRange is how much of a long pattern is looked at for a rare part.
const windowRange = 64

func newCommon(patterns []string, low, high int, p *pass) *common {
	total := 0
	for _, text := range patterns {
		if len(text) >= low && len(text) < high {
			total += min(len(text), windowRange) - p.gram + 1
		}
	}
	index := max(6, bits.Len(uint(2*total)))
	c := &common{counts: make([]uint8, 1<<index), shift: uint8(64 - index)}
	for _, text := range patterns {
		if len(text) < low || len(text) >= high {
			continue
		}
		for i := 0; i <= min(len(text), windowRange)-p.gram; i++ {
			if n := &c.counts[p.hash(gramAt(text, i, p.gram))>>c.shift]; *n < 255 {
				*n++
			}
		}
	}
	return c
}

// window is the first of the step consecutive offsets of text whose grams are the
// rarest: in other patterns, whose chains would be long, and in logs.
func (c *common) window(text string, p *pass) int {
	last := min(len(text), max(windowRange, p.step+p.gram-1)) - p.step - p.gram + 1 // the last offset a window can begin at
	if last <= 0 {
		return 0
	}
	var weights [windowRange + 1]int32 // of grams, by offset
	n := last + p.step
	if n > len(weights) {
		return 0
	}
	sum, best, at := int32(0), int32(0), 0
	for i := range n {
		g := gramAt(text, i, p.gram)
		weights[i] = 8*int32(c.counts[p.hash(g)>>c.shift]) + plainness(text[i])
		sum += weights[i]
		if i < p.step-1 {
			continue
		}
		if i >= p.step {
			sum -= weights[i-p.step]
		}
		if i == p.step-1 || sum < best {
			best, at = sum, i-p.step+1
		}
	}
	return at
}

// plainness is how much a byte looks like the words and the separators that logs
// are made of.
func plainness(c byte) int32 {
	switch {
	case 'A' <= c && c <= 'Z':
		return 0
	case '0' <= c && c <= '9':
		return 1
	case 'a' <= c && c <= 'z':
		return 2
	}
	return 3
}
