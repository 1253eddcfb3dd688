#include "textflag.h"

// func handler() (handle, restore uintptr)
TEXT ·handler(SB), NOSPLIT, $0-16
	MOVD $handle<>(SB), R0
	MOVD R0, handle+0(FP)
	MOVD ZR, restore+8(FP) // the kernel has its own
	RET

// The kernel calls it with the signal in R0: the same as in caught_linux_amd64.s.
TEXT handle<>(SB), NOSPLIT|NOFRAME, $0
	MOVD $·received(SB), R1

note:
	LDAXRW (R1), R2
	CBNZW  R2, wake
	STLXRW R0, (R1), R3
	CBNZW  R3, note

wake:
	MOVD $·wakeup(SB), R1
	MOVW (R1), R0
	MOVD $one<>(SB), R1
	MOVD $8, R2
	MOVD $64, R8 // write
	SVC
	RET

DATA one<>+0(SB)/8, $1
GLOBL one<>(SB), RODATA, $8
