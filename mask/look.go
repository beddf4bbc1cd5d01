package mask

import "encoding/binary"

// filter is a set of grams, by hash, that now and then has one that is not in it.
// One of its tables is used. They are arrays, of sizes for the caches of a
// processor, because an index into an array that is made of as many bits of a hash
// needs no check; nearly all time is spent here.
type filter struct {
	small  *[1 << smallBits]uint64  // 4 KiB
	middle *[1 << middleBits]uint64 // 32 KiB
	large  *[1 << largeBits]uint64  // 512 KiB
}

const (
	smallBits  = 9
	middleBits = 12
	largeBits  = 16

	multiplier = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio: spreads what it multiplies
)

// The grams that a table is large enough for: of its bits, two are set for each.
const (
	smallGrams  = 64 << smallBits / 64
	middleGrams = 64 << middleBits / 12
)

func newFilter(grams int) (f filter) {
	switch {
	case grams <= smallGrams:
		f.small = new([1 << smallBits]uint64)
	case grams <= middleGrams:
		f.middle = new([1 << middleBits]uint64)
	default:
		f.large = new([1 << largeBits]uint64)
	}
	return f
}

// word is the place of a hash: some of its bits choose a word of the table, and
// others two bits of that.
func (f *filter) word(h uint64) *uint64 {
	switch {
	case f.small != nil:
		return &f.small[h>>(64-smallBits)]
	case f.middle != nil:
		return &f.middle[h>>(64-middleBits)]
	}
	return &f.large[h>>(64-largeBits)]
}

func (f *filter) add(h uint64) { *f.word(h) |= 1<<(h>>20&63) | 1<<(h>>26&63) }

// has reports whether h is in the set, or seems so.
func (f *filter) has(h uint64) bool {
	word := *f.word(h)
	return word>>(h>>20&63)&1 != 0 && word>>(h>>26&63)&1 != 0
}

// look is the first place from i down in steps at which text has a gram in the
// set; negative if there is none. The mask keeps the gram of 8 bytes. It is once
// for each size of table: what they share cannot be shared without a cost.
func (f *filter) look(text []byte, i, step int, mask uint64) int {
	switch {
	case f.small != nil:
		return lookSmall(f.small, text, i, step, mask)
	case f.middle != nil:
		return lookMiddle(f.middle, text, i, step, mask)
	}
	return lookLarge(f.large, text, i, step, mask)
}

// The looks are not inlined: alone, their loops have registers enough.

//go:noinline
func lookSmall(table *[1 << smallBits]uint64, text []byte, i, step int, mask uint64) int {
	for ; i >= 0; i -= step {
		h := (binary.LittleEndian.Uint64(text[i:i+8:i+8]) & mask) * multiplier
		word := table[h>>(64-smallBits)]
		if word>>(h>>20&63)&1 != 0 && word>>(h>>26&63)&1 != 0 {
			break
		}
	}
	return i
}

//go:noinline
func lookMiddle(table *[1 << middleBits]uint64, text []byte, i, step int, mask uint64) int {
	for ; i >= 0; i -= step {
		h := (binary.LittleEndian.Uint64(text[i:i+8:i+8]) & mask) * multiplier
		word := table[h>>(64-middleBits)]
		if word>>(h>>20&63)&1 != 0 && word>>(h>>26&63)&1 != 0 {
			break
		}
	}
	return i
}

//go:noinline
func lookLarge(table *[1 << largeBits]uint64, text []byte, i, step int, mask uint64) int {
	for ; i >= 0; i -= step {
		h := (binary.LittleEndian.Uint64(text[i:i+8:i+8]) & mask) * multiplier
		word := table[h>>(64-largeBits)]
		if word>>(h>>20&63)&1 != 0 && word>>(h>>26&63)&1 != 0 {
			break
		}
	}
	return i
}
