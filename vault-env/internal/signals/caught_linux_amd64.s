#include "textflag.h"

// func handler() (handle, restore uintptr)
TEXT ·handler(SB), NOSPLIT, $0-16
	LEAQ handle<>(SB), AX
	MOVQ AX, handle+0(FP)
	LEAQ restore<>(SB), AX
	MOVQ AX, restore+8(FP)
	RET

// The kernel calls it with the signal in DI, as a C function (see caught.go). All registers are restored after it.
TEXT handle<>(SB), NOSPLIT|NOFRAME, $0
	XORL AX, AX
	LOCK
	CMPXCHGL DI, ·received(SB) // if it is 0
	MOVL $1, AX // write
	MOVL ·wakeup(SB), DI
	LEAQ one<>(SB), SI
	MOVL $8, DX
	SYSCALL
	RET

TEXT restore<>(SB), NOSPLIT|NOFRAME, $0
	MOVL $15, AX // rt_sigreturn
	SYSCALL
	INT  $3 // not reached

DATA one<>+0(SB)/8, $1
GLOBL one<>(SB), RODATA, $8
