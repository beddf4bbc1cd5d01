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

	// look is the first place from i up to last, in steps, at which text has a gram in
	// the set, or seems to; a place behind last if there is none. From each of these
	// places on text has 8 bytes. There is one look for each size of table.
	look func(f *filter, text []byte, i, last, step int, multiplier uint64) int
}

const (
	smallBits  = 9
	middleBits = 12
	largeBits  = 16

	// Of a hash the highest bits choose a word of the table; the next six the second bit
	// in it, and six more the first. The lower ones are zero if the gram is short.
	bitBits = 6

	golden = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio: spreads what it multiplies
)

// multiplierOf is what 8 bytes are multiplied by for the hash of the gram that they
// begin with: what is behind that is shifted out of the hash.
func multiplierOf(gram int) uint64 {
	unit := uint64(1) << (64 - 8*gram)
	return golden&-unit | unit
}

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

// bits are those of a hash in its word.
func (f *filter) bits(h uint64) uint64 {
	h >>= f.shift - 2*bitBits
	return 1<<(h&63) | 1<<(h>>bitBits&63)
}

func (f *filter) add(h uint64) { f.table[h>>f.shift] |= f.bits(h) }

// has reports whether h is in the set, or seems so.
func (f *filter) has(h uint64) bool { return f.bits(h)&^f.table[h>>f.shift] == 0 }

// What the looks share cannot be shared without a cost. They are handed the multiplier
// so that it is in a register, ask once whether there is a table, and shift once for
// the first of the two bits: each spares an instruction a look.

func lookSmall(f *filter, text []byte, i, last, step int, multiplier uint64) int {
	table := f.small
	_ = table[0]
	for ; i <= last; i += step {
		h := binary.LittleEndian.Uint64(text[i:i+8:i+8]) * multiplier >> (64 - smallBits - 2*bitBits)
		word := table[h>>(2*bitBits)]
		if word>>(h&63)&1 != 0 && word>>(h>>bitBits&63)&1 != 0 {
			break
		}
	}
	return i
}

func lookMiddle(f *filter, text []byte, i, last, step int, multiplier uint64) int {
	table := f.middle
	_ = table[0]
	for ; i <= last; i += step {
		h := binary.LittleEndian.Uint64(text[i:i+8:i+8]) * multiplier >> (64 - middleBits - 2*bitBits)
		word := table[h>>(2*bitBits)]
		if word>>(h&63)&1 != 0 && word>>(h>>bitBits&63)&1 != 0 {
			break
		}
	}
	return i
}

func lookLarge(f *filter, text []byte, i, last, step int, multiplier uint64) int {
	table := f.large
	_ = table[0]
	for ; i <= last; i += step {
		h := binary.LittleEndian.Uint64(text[i:i+8:i+8]) * multiplier >> (64 - largeBits - 2*bitBits)
		word := table[h>>(2*bitBits)]
		if word>>(h&63)&1 != 0 && word>>(h>>bitBits&63)&1 != 0 {
			break
		}
	}
	return i
}
