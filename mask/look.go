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
	table  []uint64                 // the one that is used
	shift  uint8                    // of a hash, for its word in the table

	look func(f *filter, text []byte, i, last, step int, mask, multiplier uint64) int
}

const (
	smallBits  = 9
	middleBits = 12
	largeBits  = 16

	// Where in a hash the numbers of the two bits are.
	firstBit  = 20
	secondBit = 26

	multiplier = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio: spreads what it multiplies
)

// The grams that a table is large enough for: of its bits, two are set for each.
const (
	smallGrams  = 64 << smallBits / 64
	middleGrams = 64 << middleBits / 24
)

func newFilter(grams int) (f filter) {
	switch {
	case grams <= smallGrams:
		f.small, f.look = new([1 << smallBits]uint64), lookSmall
		f.table, f.shift = f.small[:], 64-smallBits
	case grams <= middleGrams:
		f.middle, f.look = new([1 << middleBits]uint64), lookMiddle
		f.table, f.shift = f.middle[:], 64-middleBits
	default:
		f.large, f.look = new([1 << largeBits]uint64), lookLarge
		f.table, f.shift = f.large[:], 64-largeBits
	}
	return f
}

// word is the place of a hash: some of its bits choose a word of the table, and
// others two bits of that.
func (f *filter) word(h uint64) *uint64 { return &f.table[h>>f.shift] }

func (f *filter) add(h uint64) { *f.word(h) |= 1<<(h>>firstBit&63) | 1<<(h>>secondBit&63) }

// has reports whether h is in the set, or seems so.
func (f *filter) has(h uint64) bool {
	word := *f.word(h)
	return word>>(h>>firstBit&63)&1 != 0 && word>>(h>>secondBit&63)&1 != 0
}

// The looks are the first place from i up to last, in steps, at which text has a gram
// in the set; a place behind last if there is none. The mask keeps the gram of 8
// bytes. There is one for each size of table: what they share cannot be shared
// without a cost. They are handed the multiplier so that it is in a register, ask
// once whether there is a table, and shift once for the first of the two bits: each
// spares an instruction a look.

func lookSmall(f *filter, text []byte, i, last, step int, mask, multiplier uint64) int {
	table := f.small
	_ = table[0]
	for ; i <= last; i += step {
		h := (binary.LittleEndian.Uint64(text[i:i+8:i+8]) & mask) * multiplier >> firstBit
		word := table[h>>(64-firstBit-smallBits)]
		if word>>(h&63)&1 != 0 && word>>(h>>(secondBit-firstBit)&63)&1 != 0 {
			break
		}
	}
	return i
}

func lookMiddle(f *filter, text []byte, i, last, step int, mask, multiplier uint64) int {
	table := f.middle
	_ = table[0]
	for ; i <= last; i += step {
		h := (binary.LittleEndian.Uint64(text[i:i+8:i+8]) & mask) * multiplier >> firstBit
		word := table[h>>(64-firstBit-middleBits)]
		if word>>(h&63)&1 != 0 && word>>(h>>(secondBit-firstBit)&63)&1 != 0 {
			break
		}
	}
	return i
}

func lookLarge(f *filter, text []byte, i, last, step int, mask, multiplier uint64) int {
	table := f.large
	_ = table[0]
	for ; i <= last; i += step {
		h := (binary.LittleEndian.Uint64(text[i:i+8:i+8]) & mask) * multiplier >> firstBit
		word := table[h>>(64-firstBit-largeBits)]
		if word>>(h&63)&1 != 0 && word>>(h>>(secondBit-firstBit)&63)&1 != 0 {
			break
		}
	}
	return i
}
