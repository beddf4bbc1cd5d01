//go:build !purego

#include "textflag.h"

// GRAM takes the 8 bytes at an address in, and tests the first bit of their gram's
// hash: bit BX, counted from firstBit, of the word of the table that its upper bits
// choose.
#define GRAM(address) \
	MOVQ  address, AX;     \
	ANDQ  R10, AX;         \
	IMULQ R11, AX;         \
	SHRXQ R13, AX, DX;     \
	RORXQ $20, AX, BX;     \
	MOVQ  (R12)(DX*8), DX; \
	BTQ   BX, DX

// SECOND tests the second, counted from secondBit.
#define SECOND \
	RORXQ $26, AX, BX; \
	BTQ   BX, DX

// func lookBMI2(text *byte, i, last, step int, mask, multiplier uint64, table *uint64, shift uint64) (at int)
TEXT ·lookBMI2(SB), NOSPLIT, $0-72
	MOVQ text+0(FP), CX
	MOVQ i+8(FP), SI
	MOVQ last+16(FP), DI
	MOVQ step+24(FP), R8
	MOVQ mask+32(FP), R10
	MOVQ multiplier+40(FP), R11
	MOVQ table+48(FP), R12
	MOVQ shift+56(FP), R13
	ADDQ CX, SI
	ADDQ CX, DI
	LEAQ (R8)(R8*2), R9
	SUBQ R9, DI

	// Four at once. The page behind this one is asked for meanwhile.
four:
	CMPQ SI, DI
	JGT  rest
	PREFETCHT0 4096(SI)
	GRAM((SI))
	JCS  first
second:
	GRAM((SI)(R8*1))
	JCS  hit2
third:
	GRAM((SI)(R8*2))
	JCS  hit3
fourth:
	GRAM((SI)(R9*1))
	JCS  hit4
next:
	LEAQ (SI)(R8*4), SI
	JMP  four

first:
	SECOND
	JCC  second
	JMP  done
hit2:
	SECOND
	JCC  third
	ADDQ R8, SI
	JMP  done
hit3:
	SECOND
	JCC  fourth
	LEAQ (SI)(R8*2), SI
	JMP  done
hit4:
	SECOND
	JCC  next
	ADDQ R9, SI
	JMP  done

rest:
	ADDQ R9, DI
one:
	CMPQ SI, DI
	JGT  done
	GRAM((SI))
	JCC  nothing
	SECOND
	JCS  done
nothing:
	ADDQ R8, SI
	JMP  one

done:
	SUBQ CX, SI
	MOVQ SI, at+64(FP)
	RET
