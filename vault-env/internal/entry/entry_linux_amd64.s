#include "textflag.h"

// vault_env_entry is where the kernel starts the executable (see entry.go). The stack has the count of the arguments,
// the arguments, a null, the variables and a null (System V ABI, "Process Initialization").
TEXT vault_env_entry(SB), NOSPLIT|NOFRAME, $0
	MOVQ 0(SP), AX
	LEAQ 16(SP)(AX*8), BX // the first variable

variables:
	MOVQ  (BX), AX
	TESTQ AX, AX
	JZ    dispositions
	ADDQ  $8, BX
	CMPB  (AX), $0x47 // G
	JNE   variables
	CMPB  1(AX), $0x4f // O
	JNE   variables
	MOVB  $1, (AX) // the mark of entry.go
	JMP   variables

dispositions:
	SUBQ $64, SP // room for the kernel's struct sigaction, which begins with the handler
	XORL R13, R13
	MOVQ $1, R12

signal:
	MOVQ R12, DI
	XORL SI, SI // change nothing
	MOVQ SP, DX
	MOVQ $8, R10 // bytes of a set of signals
	MOVQ $13, AX // rt_sigaction
	SYSCALL
	TESTQ AX, AX
	JNZ  next
	CMPQ (SP), $1 // SIG_IGN
	JNE  next
	LEAQ -1(R12), CX
	MOVQ $1, AX
	SHLQ CX, AX
	ORQ  AX, R13

next:
	INCQ R12
	CMPQ R12, $64
	JLE  signal
	MOVQ R13, ·ignored(SB)
	ADDQ $64, SP
	JMP  _rt0_amd64_linux(SB)
