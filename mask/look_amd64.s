//go:build !purego

#include "textflag.h"

// GRAM takes the 8 bytes at an address in, and tests the first bit of their gram's
// hash: bit BX of the word of the table that its highest bits choose.
#define GRAM(address) \
	MOVQ  address, AX;     \
	IMULQ R11, AX;         \
	SHRXQ R13, AX, DX;     \
	SHRXQ R10, AX, BX;     \
	MOVQ  (R12)(DX*8), DX; \
	BTQ   BX, DX

// SECOND tests the second.
#define SECOND \
	SHRQ $6, BX; \
	BTQ  BX, DX

// func lookBMI2(text *byte, i, last, step int, multiplier uint64, table *uint64, shift uint64, ahead, stride int) (at int)
TEXT ·lookBMI2(SB), NOSPLIT, $0-80
	MOVQ text+0(FP), CX
	MOVQ i+8(FP), SI
	MOVQ last+16(FP), DI
	MOVQ step+24(FP), R8
	MOVQ multiplier+32(FP), R11
	MOVQ table+40(FP), R12
	MOVQ shift+48(FP), R13
	MOVQ ahead+56(FP), R14
	MOVQ stride+64(FP), R15
	LEAQ -12(R13), R10
	ADDQ CX, SI
	ADDQ CX, DI
	ADDQ CX, R14
	LEAQ (R8)(R8*2), R9
	SUBQ R9, DI
	CMPQ SI, DI
	JGT  rest

	// Four at once. Meanwhile some of what is behind is asked for.
four:
	PREFETCHT0 (R14)
	ADDQ R15, R14
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
	CMPQ SI, DI
	JLE  four
	JMP  rest

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
	MOVQ SI, at+72(FP)
	RET
