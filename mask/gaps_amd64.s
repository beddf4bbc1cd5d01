//go:build !purego

#include "textflag.h"

// MASK32 makes the constant name, of 32 bytes that are each as those of x.
#define MASK32(name, x) \
	DATA name+0(SB)/8, x;  \
	DATA name+8(SB)/8, x;  \
	DATA name+16(SB)/8, x; \
	DATA name+24(SB)/8, x; \
	GLOBL name(SB), RODATA|NOPTR, $32

MASK32(escapes<>, $0x1b1b1b1b1b1b1b1b)
MASK32(backspaces<>, $0x0808080808080808)
MASK32(brackets<>, $0x5b5b5b5b5b5b5b5b)
MASK32(highThree<>, $0xe0e0e0e0e0e0e0e0)
MASK32(spaces<>, $0x2020202020202020)
MASK32(questions<>, $0x3f3f3f3f3f3f3f3f)
MASK32(deletes<>, $0x7f7f7f7f7f7f7f7f)
MASK32(nibbles<>, $0x0f0f0f0f0f0f0f0f)

// A bit for each upper half of a byte, none for those of a byte from 0x80 on.
DATA bitOf<>+0(SB)/8, $0x8040201008040201
DATA bitOf<>+8(SB)/8, $0
GLOBL bitOf<>(SB), RODATA|NOPTR, $16

// GATHER makes a word, of 64 bits, of two results of a comparison. The bits of bytes
// that an earlier word had go.
#define GATHER(low, high, word) \
	VPMOVMSKB low, word;   \
	VPMOVMSKB high, BX;    \
	SHLQ      $32, BX;     \
	ORQ       BX, word;    \
	SHRXQ     DI, word, word

// IN tells which bytes of from are in a set: Y8 has, for each lower half of a byte, a
// bit for each upper half, and Y9 is bitOf. Bytes from 0x80 on have none, and are
// taken to be in every set.
#define IN(from, to, temporary) \
	VPSHUFB  from, Y8, to;                        \
	VPSRLW   $4, from, temporary;                 \
	VPAND    nibbles<>(SB), temporary, temporary; \
	VPSHUFB  temporary, Y9, temporary;            \
	VPAND    temporary, to, to;                   \
	VPCMPEQB temporary, to, to

// func gapsAVX2(text *byte, n int, inValues *[16]uint8, after bool) (last, whole int)
//
// A word is a bit for each of 64 bytes, the lowest the first. What reaches over its
// end is carried into the next: additions and subtractions of words are those of one
// long number. Of the word before,
//   R8   is where ESCs are
//   R9   is where sequences have their last bytes
//   R10  is where the bytes are that are in some value
//   R11  is 1 if a sequence is open in its parameters
//   R12  is 1 if what is behind a sequence is in this word
//   R13  is 1 if it is, and a byte that is in some value is before the sequence
//   R15  is not zero if any of the others matters to this word
// DI is how many of the 64 bytes at SI were looked at before, and CX 64 less than what
// is left from SI on.
TEXT ·gapsAVX2(SB), NOSPLIT, $24-48
	MOVQ    text+0(FP), SI
	MOVQ    n+8(FP), CX
	MOVQ    inValues+16(FP), DX
	MOVBQZX after+24(FP), R10
	SHLQ    $63, R10
	XORL    R8, R8
	XORL    R9, R9
	XORL    R11, R11
	XORL    R12, R12
	XORL    R13, R13
	XORL    R15, R15
	XORL    DI, DI
	MOVQ    $0, lastWord-8(SP)
	VMOVDQU escapes<>(SB), Y0
	VMOVDQU backspaces<>(SB), Y1
	SUBQ    $64, CX

word:
	PREFETCHT0 1024(SI)
	VMOVDQU  (SI), Y2
	VMOVDQU  32(SI), Y3
	VPCMPEQB Y0, Y2, Y4
	VPCMPEQB Y0, Y3, Y5
	VPCMPEQB Y1, Y2, Y6
	VPCMPEQB Y1, Y3, Y7
	VPOR     Y6, Y7, Y6
	VPOR     Y4, Y5, Y7
	VPOR     Y6, Y7, Y7
	VPTEST   Y7, Y7
	JNZ      heavy
	TESTQ    R15, R15
	JNZ      heavy
	MOVQ     $-1, R10 // not looked at: it may be one of those bytes

next:
	ADDQ $64, SI
	SUBQ $64, CX
	JGE  word
	TESTQ DI, DI
	JNZ  end
	CMPQ CX, $-64
	JEQ  end

	// Less than 64 bytes are left: the last 64, of which DI were looked at.
	ADDQ CX, SI
	MOVQ CX, DI
	NEGQ DI
	JMP  word

heavy:
	VPTEST  Y6, Y6
	JNZ     found // a backspace
	LEAQ    (SI)(DI*1), BX
	TESTQ   R15, R15
	CMOVQNE whole-24(SP), BX
	MOVQ    BX, whole-24(SP)
	GATHER(Y4, Y5, AX)
	TESTB $1, AX
	JNE   before

known:
	TESTQ AX, AX
	JEQ   none
	MOVQ  AX, lastWord-8(SP)
	LEAQ  (SI)(DI*1), BX
	MOVQ  BX, lastBase-16(SP)

none:
	// Each ESC has a bracket behind it.
	VPCMPEQB brackets<>(SB), Y2, Y6
	VPCMPEQB brackets<>(SB), Y3, Y7
	GATHER(Y6, Y7, DX)
	MOVQ  AX, BX
	SHLQ  $1, R8, BX
	NOTQ  DX
	TESTQ DX, BX
	JNZ   found

	// From the byte behind that on, add a bit: it comes out behind the parameters,
	// where the last byte of the sequence must be.
	VPAND    highThree<>(SB), Y2, Y6
	VPAND    highThree<>(SB), Y3, Y7
	VPCMPEQB spaces<>(SB), Y6, Y6
	VPCMPEQB spaces<>(SB), Y7, Y7
	GATHER(Y6, Y7, DX)
	MOVQ  AX, BX
	SHLQ  $2, R8, BX
	ADDB  $-1, R11
	ADCQ  DX, BX
	SETCS R11
	NOTQ  DX
	ANDQ  DX, BX
	MOVQ  BX, R15
	VPCMPGTB questions<>(SB), Y2, Y6
	VPCMPGTB questions<>(SB), Y3, Y7
	VPCMPEQB deletes<>(SB), Y2, Y4
	VPCMPEQB deletes<>(SB), Y3, Y5
	VPANDN   Y6, Y4, Y6
	VPANDN   Y7, Y5, Y7
	GATHER(Y6, Y7, DX)
	NOTQ  DX
	TESTQ DX, R15
	JNZ   found
	TESTL R12, R12
	JNE   open

closed:
	MOVQ  AX, R8

	// The places behind sequences less those of ESCs are the sequences.
	MOVQ R15, DX
	SHLQ $1, R9, DX
	MOVQ R15, R9
	MOVQ DX, R15
	ADDB $-1, R12
	SBBQ AX, R15
	SETCS R12

	// To those that have a byte that values have before them add a bit: it comes out
	// behind them. There must be none of those bytes.
	VBROADCASTI128 bitOf<>(SB), Y9
	MOVQ    inValues+16(FP), BX
	VBROADCASTI128 (BX), Y8
	IN(Y2, Y4, Y6)
	IN(Y3, Y5, Y7)
	NOTQ  DX
	ANDQ  AX, DX
	GATHER(Y4, Y5, AX)
	MOVQ  AX, BX
	SHLQ  $1, R10, BX
	ANDQ  BX, DX
	MOVQ  AX, R10
	ADDB  $-1, R13
	ADCQ  R15, DX
	SETCS R13
	NOTQ  R15
	ANDQ  R15, DX
	TESTQ AX, DX
	JNZ   found

	MOVQ  R8, R15
	SHRQ  $62, R15
	MOVL  $63, DX
	SUBQ  DI, DX
	SHRXQ DX, R9, DX
	ORQ   DX, R15
	ORQ   R11, R15
	ORQ   R12, R15
	ORQ   R13, R15
	JMP   next

open:
	// The last sequence of the word before went on to its end: with its last byte
	// there, or in this word. Then it has 64 bytes at most if it ends before the place
	// that its ESC has in the word before, which is the last ESC there.
	TESTQ R9, R9
	JLT   closed
	MOVQ  R15, BX
	NEGQ  BX
	ANDQ  R15, BX
	JEQ   found
	SHRQ  $1, R8
	CMPQ  BX, R8
	JLS   closed
	JMP   found

before:
	// The ESC is the first of the word. If the word before was not looked at, its last
	// byte is now.
	CMPQ    R10, $-1
	JNE     known
	MOVBQZX -1(SI)(DI*1), DX
	MOVQ    DX, BX
	SHRQ    $4, DX
	ANDL    $15, BX
	ADDQ    inValues+16(FP), BX
	MOVBQZX (BX), R10
	BTL     DX, R10 // not set for a byte from 0x80 on
	SBBQ    R10, R10
	CMPL    DX, $8
	JLT     known
	MOVQ    $-1, R10
	JMP     known

end:
	MOVQ  n+8(FP), CX
	TESTQ R15, R15
	JEQ   last
	MOVQ  whole-24(SP), CX
	SUBQ  text+0(FP), CX
last:
	MOVQ  $-1, DX
	MOVQ  lastWord-8(SP), AX
	TESTQ AX, AX
	JEQ   nowhere
	BSRQ  AX, DX
	ADDQ  lastBase-16(SP), DX
	SUBQ  text+0(FP), DX
nowhere:
	VZEROUPPER
	MOVQ DX, last+32(FP)
	MOVQ CX, whole+40(FP)
	RET

found:
	VZEROUPPER
	MOVQ $-1, last+32(FP)
	MOVQ $0, whole+40(FP)
	RET
