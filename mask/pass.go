package mask

import (
	"encoding/binary"
	"math"
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
	shortest   int    // of its patterns, in bytes
	gram       int    // bytes of text that a look takes in, 1 to 8
	step       int    // bytes from one look to the next
	inverse    uint64 // of step, times 2^64
	multiplier uint64 // of 8 bytes that begin with a gram, for its hash
	filter     filter
	slots      []slot
	slotShift  uint8 // of a hash, for its place among them
}

// slot is a gram of a pattern, in a hash table with linear probing.
type slot struct {
	tag     uint32 // part of the gram's hash
	pattern int32  // its index and 1; 0 is an empty slot
	offset  int32  // of the gram in the pattern
}

// maxPasses is how many a set has at most.
const maxPasses = 9

// plan divides patterns among as few passes as is fastest. Patterns of very
// different lengths are better looked for in two passes with long steps than in
// one with a short step.
func plan(patterns []string) []pass {
	if len(patterns) == 0 {
		return nil
	}
	// The lengths that a pass may begin with, and how many patterns are from one
	// to the next.
	borders := [maxPasses]int{1, 2, 3, 4, 6, 8, 12, 16, 24}
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
	p := pass{shortest: low, gram: gram, step: low - gram + 1, multiplier: multiplierOf(gram)}
	p.inverse = ^uint64(0)/uint64(p.step) + 1
	count := 0
	for _, text := range patterns {
		if len(text) >= low && len(text) < high {
			count++
		}
	}
	grams := count * p.step
	p.filter = newFilter(grams)
	places := bits.Len(uint(grams + grams/2))
	p.slots, p.slotShift = make([]slot, 1<<places), uint8(64-places)

	rare := newRarity(patterns, low, high, &p)
	for k, text := range patterns {
		if len(text) < low || len(text) >= high {
			continue
		}
		first, hashes := rare.window(text, &p)
		for i, h := range hashes {
			p.filter.add(h)
			for at := p.place(h); ; at = (at + 1) & (len(p.slots) - 1) {
				if p.slots[at].pattern == 0 {
					p.slots[at] = slot{uint32(h >> 32), int32(k + 1), int32(first + i)}
					break
				}
			}
		}
	}
	return p
}

// hash is that of the gram in the lowest bytes of 8.
func (p *pass) hash(gram uint64) uint64 { return gram * p.multiplier }

// place is the slot at which the grams of this hash begin.
func (p *pass) place(h uint64) int { return int(h >> p.slotShift) }

// hashes puts into the slice those of the grams of text, by offset.
func (p *pass) hashes(into []uint64, text string) []uint64 {
	into = into[:0]
	top := 8 * (p.gram - 1) & 63
	x := uint64(0)
	for i := range len(text) {
		x = x>>8 | uint64(text[i])<<top
		if i >= p.gram-1 {
			into = append(into, p.hash(x))
		}
	}
	return into
}

// first is the first place that is looked at in a text of n bytes. The last is where
// the shortest pattern would begin that the text ends with: if a pattern has 8 bytes,
// no look reads behind the text.
func (p *pass) first(n int) int {
	if n < p.shortest {
		return n
	}
	if uint64(n) > math.MaxUint32 {
		return (n - p.shortest) % p.step
	}
	// The remainder by a multiplication (Lemire, Kaser, Kurz: Faster Remainder by
	// Direct Computation): a division takes as long as all of a short line.
	rest, _ := bits.Mul64(p.inverse*uint64(n-p.shortest), uint64(p.step))
	return int(rest)
}

// scan appends the occurrences in text of the patterns of this pass.
func (p *pass) scan(found []match, text []byte, patterns []string, join bool) []match {
	at, last := p.first(len(text)), len(text)-p.shortest
	for wide := min(last, len(text)-8); at <= wide; at += p.step {
		if at = p.filter.look(&p.filter, text, at, wide, p.step, p.multiplier); at > wide {
			break
		}
		h := p.hash(binary.LittleEndian.Uint64(text[at:]))
		found = p.chase(found, text, at, h, patterns, join)
	}
	for ; at <= last; at += p.step { // with less than 8 bytes behind them
		var x uint64
		for k := p.gram - 1; k >= 0; k-- {
			x = x<<8 | uint64(text[at+k])
		}
		if h := p.hash(x); p.filter.has(h) {
			found = p.chase(found, text, at, h, patterns, join)
		}
	}
	return found
}

// chase appends the occurrences that have a gram of hash h at place i of text.
func (p *pass) chase(found []match, text []byte, i int, h uint64, patterns []string, join bool) []match {
	tag := uint32(h >> 32)
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
		m := match{start, start + len(pattern)}
		if !join || !joined(found, m) {
			found = append(found, m)
		}
	}
	return found
}

// joined joins m to one of the last two of found that it overlaps, so that what is
// found in a text of one letter does not outgrow the text, though two passes take
// turns.
func joined(found []match, m match) bool {
	for k := len(found) - 1; k >= max(0, len(found)-2); k-- {
		if last := &found[k]; m.start < last.end && last.start < m.end {
			last.start, last.end = min(last.start, m.start), max(last.end, m.end)
			return true
		}
	}
	return false
}

// rarity tells which part of a pattern is rare.
type rarity struct {
	counts []uint8 // by hash, of patterns that hold such a gram; 255 is 255 or more
	shift  uint8
	plain  [256]int32 // how much a byte looks like what logs are made of
	hashes []uint64   // of the grams of one pattern
}

// windowRange is how much of a long pattern is looked at for a rare part.
const windowRange = 32

func newRarity(patterns []string, low, high int, p *pass) *rarity {
	total := 0
	for _, text := range patterns {
		if len(text) >= low && len(text) < high {
			total += min(len(text), windowRange) - p.gram + 1
		}
	}
	index := max(6, bits.Len(uint(total)))
	r := &rarity{
		counts: make([]uint8, 1<<index), shift: uint8(64 - index),
		hashes: make([]uint64, 0, max(windowRange, p.step)),
	}
	for c := range r.plain {
		r.plain[c] = plainness(byte(c))
	}
	for _, text := range patterns {
		if len(text) < low || len(text) >= high {
			continue
		}
		for _, h := range p.hashes(r.hashes, text[:min(len(text), windowRange)]) {
			if n := &r.counts[h>>r.shift]; *n < 255 {
				*n++
			}
		}
	}
	return r
}

// window is the first of the step consecutive offsets of text whose grams are the
// rarest: in other patterns, whose chains would be long, and in logs; and their
// hashes, until the next call.
func (r *rarity) window(text string, p *pass) (first int, hashes []uint64) {
	hashes = p.hashes(r.hashes, text[:min(len(text), max(windowRange, p.step+p.gram-1))])
	if len(hashes) == p.step {
		return 0, hashes[:p.step]
	}
	var weights [windowRange]int32
	sum, best := int32(0), int32(0)
	for i, h := range hashes {
		weights[i] = 8*int32(r.counts[h>>r.shift]) + r.plain[text[i]]
		sum += weights[i]
		if i < p.step-1 {
			continue
		}
		if i >= p.step {
			sum -= weights[i-p.step]
		}
		if i == p.step-1 || sum < best {
			best, first = sum, i-p.step+1
		}
	}
	return first, hashes[first : first+p.step]
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
