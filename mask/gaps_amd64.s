//go:build !purego

#include "textflag.h"

// For each lower half of a byte, the backspace or the ESC if it ends in that, otherwise
// a byte that does not: so only these two are what is here for their own half. From
// 0x80 on a byte is shuffled to zero, and is not that either.
DATA marks<>+0(SB)/8, $0x0607040502030001
DATA marks<>+8(SB)/8, $0x0e0f0c0d1b0b0808
GLOBL marks<>(SB), RODATA|NOPTR, $16

DATA highThree<>+0(SB)/8, $0xe0e0e0e0e0e0e0e0
DATA highThree<>+8(SB)/8, $0xe0e0e0e0e0e0e0e0
GLOBL highThree<>(SB), RODATA|NOPTR, $16

DATA spaces<>+0(SB)/8, $0x2020202020202020
DATA spaces<>+8(SB)/8, $0x2020202020202020
GLOBL spaces<>(SB), RODATA|NOPTR, $16

// WORD makes the bits of the 64 bytes at low and high.
#define WORD(low, high) \
	VMOVDQU   low, Y2;    \
	VMOVDQU   high, Y3;   \
	VPSHUFB   Y2, Y0, Y4; \
	VPSHUFB   Y3, Y0, Y5; \
	VPCMPEQB  Y2, Y4, Y4; \
	VPCMPEQB  Y3, Y5, Y5; \
	VPMOVMSKB Y4, AX;     \
	VPMOVMSKB Y5, BX;     \
	SHLQ      $32, BX;    \
	ORQ       BX, AX

// NOTE notes them, if there are some, with the base of the word. There is room for the
// 64 words of a page, what marks the end, and one that is looked at too early.
#define NOTE(base) \
	MOVQ AX, bits-1056(SP)(R8*8);   \
	MOVQ base, bases-528(SP)(R8*8); \
	CMPQ AX, $1;                    \
	SBBQ $-1, R8

// func gapsAVX2(text *byte, n int, kinds *[3][256]uint8, before byte) (last, whole int)
//
// First it notes, without a branch that depends on the text, the words of 64 bytes
// that have an ESC or a backspace: a bit for each, the lowest the first, and where the
// word begins. Then it takes these bits one after the other.
TEXT ·gapsAVX2(SB), 0, $1056-48
	MOVQ text+0(FP), SI
	MOVQ n+8(FP), CX
	VBROADCASTI128 marks<>(SB), Y0
	XORL DI, DI
	XORL R8, R8

	// R9 is what is asked for, and R10 how much further that goes with 128 bytes.
	// That is up to gapsAhead behind a page; behind less than that, some lines.
	LEAQ 1024(SI), R9
	MOVL $128, R10
	CMPQ CX, $4096
	JLT  words
	LEAQ 4096(SI), R9
	MOVL $48, R10

	// DI is where a word begins, DX where the last does, and R8 how many are noted.
words:
	LEAQ -64(CX), DX

two:
	LEAQ  64(DI), R11
	CMPQ  R11, DX
	JGT   one
	PREFETCHT0 (R9)
	WORD((SI)(DI*1), 32(SI)(DI*1))
	NOTE(DI)
	PREFETCHT0 24(R9)
	WORD((SI)(R11*1), 32(SI)(R11*1))
	NOTE(R11)
	ADDQ  R10, R9
	SUBQ  $-128, DI
	JMP   two

one:
	CMPQ DI, DX
	JGT  rest
	WORD((SI)(DI*1), 32(SI)(DI*1))
	NOTE(DI)
	ADDQ $64, DI

	// Less than 64 bytes are left: the last 64, less those looked at before.
rest:
	CMPQ  DI, CX
	JGE   noted
	WORD((SI)(DX*1), 32(SI)(DX*1))
	MOVQ  DI, BX
	SUBQ  DX, BX
	SHRXQ BX, AX, AX
	NOTE(DI)

noted:
	VZEROUPPER
	TESTQ R8, R8
	JEQ   nothing
	XORL  AX, AX
	MOVQ  AX, bits-1056(SP)(R8*8) // the end
	VMOVDQU highThree<>(SB), X0
	VMOVDQU spaces<>(SB), X1

	//   DX   is kinds
	//   R8   is where a word and its base are
	//   R9   is what is left of the bits of the word, and R10 its base
	//   R11  is where the sequence before ends
	//   R12  is where it begins, or the first of those that it touches
	//   R13  is the byte before that
	//   R14  is the last place whose sequence is whole
	//   R15  is not zero if something was found
	MOVQ    kinds+16(FP), DX
	LEAQ    bits-1056(SP), R8
	MOVQ    (R8), R9
	MOVQ    528(R8), R10
	XORL    R11, R11
	XORL    R12, R12
	MOVBLZX before+24(FP), R13
	XORL    R15, R15
	MOVQ    $-1, R14

sequence:
	// The next place, and the word behind if this was the last of its own.
	MOVQ    8(R8), DI
	LEAQ    8(R8), BX
	TZCNTQ  R9, AX
	ADDQ    R10, AX
	BLSRQ   R9, R9
	CMOVQEQ DI, R9
	CMOVQEQ BX, R8
	MOVQ    528(R8), R10

	// What stands before it, if no sequence does. At the first place that is the
	// argument, as R11 is 0 there; what is in front of text may not be read.
	MOVQ    AX, BX
	CMPQ    BX, $1
	ADCQ    $-1, BX
	MOVBLZX (SI)(BX*1), BX
	CMPQ    AX, R11
	CMOVQNE AX, R12
	CMOVLNE BX, R13

	// The parameters end at the first byte that is not from 0x20 to 0x3f. So that the 16
	// bytes that are looked at lie within text, they may begin earlier.
	LEAQ      2(AX), DI
	LEAQ      -16(CX), BX
	CMPQ      DI, BX
	CMOVQLT   DI, BX
	VPAND     (SI)(BX*1), X0, X2
	VPCMPEQB  X1, X2, X2
	SUBQ      BX, DI
	VPMOVMSKB X2, BX
	SHRXL     DI, BX, BX
	NOTL      BX
	TZCNTL    BX, BX
	LEAQ      3(AX)(BX*1), R11
	CMPQ      R11, CX
	JGE       cut

	MOVQ    AX, R14
	MOVWLZX (SI)(AX*1), AX
	XORL    $0x5b1b, AX
	ORL     AX, R15
	MOVBLZX -1(SI)(R11*1), AX
	MOVBLZX 512(DX)(AX*1), AX
	ORL     AX, R15
	MOVBLZX (SI)(R11*1), AX
	MOVBLZX 256(DX)(AX*1), AX
	ANDB    (DX)(R13*1), AX
	ORL     AX, R15
	TESTQ   R9, R9
	JNE     sequence
	MOVQ    CX, R12

cut:
	TESTL R15, R15
	JNE   found
	MOVQ  R14, last+32(FP)
	MOVQ  R12, whole+40(FP)
	RET

nothing:
	MOVQ $-1, last+32(FP)
	MOVQ CX, whole+40(FP)
	RET

found:
	MOVQ $-1, last+32(FP)
	MOVQ $0, whole+40(FP)
	RET
