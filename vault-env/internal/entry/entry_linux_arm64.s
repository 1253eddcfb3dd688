#include "textflag.h"

// vault_env_entry is where the kernel starts the executable: the same as in entry_linux_amd64.s.
TEXT vault_env_entry(SB), NOSPLIT|NOFRAME, $0
	MOVD 0(RSP), R0
	ADD  $16, RSP, R1
	ADD  R0<<3, R1, R1 // the first variable

variables:
	MOVD  (R1), R2
	CBZ   R2, dispositions
	ADD   $8, R1
	MOVBU (R2), R3
	CMP   $0x47, R3 // G
	BNE   variables
	MOVBU 1(R2), R3
	CMP   $0x4f, R3 // O
	BNE   variables
	MOVD  $1, R3 // the mark of entry.go
	MOVB  R3, (R2)
	B     variables

dispositions:
	SUB  $64, RSP // room for the kernel's struct sigaction, which begins with the handler
	MOVD $0, R9
	MOVD $1, R10

signal:
	MOVD R10, R0
	MOVD $0, R1 // change nothing
	MOVD RSP, R2
	MOVD $8, R3 // bytes of a set of signals
	MOVD $134, R8 // rt_sigaction
	SVC
	CBNZ R0, next
	MOVD (RSP), R4
	CMP  $1, R4 // SIG_IGN
	BNE  next
	SUB  $1, R10, R5
	MOVD $1, R6
	LSL  R5, R6, R6
	ORR  R6, R9, R9

next:
	ADD  $1, R10
	CMP  $64, R10
	BLE  signal
	MOVD R9, ·ignored(SB)
	ADD  $64, RSP
	B    _rt0_arm64_linux(SB)
