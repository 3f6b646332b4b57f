//go:build cgo && linux && amd64

// Every form of the instructions, made by the system's assembler, for the test
// of the decoder, and a table that says what each is: see struct amx_form.

	.text

// The instruction of an entry stands between the labels 10 and 11.
.macro entry operation, tile0, tile1, tile2, base, index, scale, displacement
	.pushsection .data
	.quad 10b
	.byte 11b-10b, \operation, \tile0, \tile1, \tile2, \base, \index, \scale
	.long \displacement, 0
	.popsection
.endm

#define NONE -1
#define RIP 16

	.data
	.balign 8
	.globl amx_forms
	.hidden amx_forms
amx_forms:
	.text

// Loads with every base, index, scale and size of the displacement. (No
// displacement on rbp and r13 is one of 8 bits that is zero.)
.set baseNumber, 0
.irp base, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	.set indexNumber, 0
	.irp index, rax, rcx, rdx, rbx, riz, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
		.irp scale, 1, 2, 4, 8
			.irp displacement, 0, -0x70, 0x12345678
				.ifc \index, riz
10:				tileloadd \displacement(%\base), %tmm7
11:				entry 4, 7, 0, 0, baseNumber, NONE, 1, \displacement
				.else
10:				tileloadd \displacement(%\base,%\index,\scale), %tmm2
11:				entry 4, 2, 0, 0, baseNumber, indexNumber, \scale, \displacement
				.endif
			.endr
		.endr
		.set indexNumber, indexNumber+1
	.endr
	.set baseNumber, baseNumber+1
.endr

// Without a base.
.set indexNumber, 0
.irp index, rax, rcx, rdx, rbx, riz, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	.ifnc \index, riz
10:	tileloadd -0x12345678(,%\index,4), %tmm1
11:	entry 4, 1, 0, 0, NONE, indexNumber, 4, -0x12345678
	.endif
	.set indexNumber, indexNumber+1
.endr

// Every tile, for loads with and without the hint, stores and zeroes.
.irp n, 0, 1, 2, 3, 4, 5, 6, 7
10:	tileloadd 0x40(%r9,%rdx,2), %tmm\n
11:	entry 4, \n, 0, 0, 9, 2, 2, 0x40
10:	tileloaddt1 0x40(%r9,%r10,8), %tmm\n
11:	entry 4, \n, 0, 0, 9, 10, 8, 0x40
10:	tilestored %tmm\n, -0x4000(%rbx,%r12,1)
11:	entry 5, \n, 0, 0, 3, 12, 1, -0x4000
10:	tilezero %tmm\n
11:	entry 3, \n, 0, 0, NONE, NONE, 1, 0
.endr

// The configuration, from every kind of address.
.set baseNumber, 0
.irp base, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	.irp displacement, 0, -0x70, 0x12345678
10:		ldtilecfg \displacement(%\base)
11:		entry 0, 0, 0, 0, baseNumber, NONE, 1, \displacement
10:		sttilecfg \displacement(%\base)
11:		entry 1, 0, 0, 0, baseNumber, NONE, 1, \displacement
10:		ldtilecfg \displacement(%\base,%r15,8)
11:		entry 0, 0, 0, 0, baseNumber, 15, 8, \displacement
	.endr
	.set baseNumber, baseNumber+1
.endr
10:	ldtilecfg 0x7654(%rip)
11:	entry 0, 0, 0, 0, RIP, NONE, 1, 0x7654
10:	sttilecfg 0x7654
11:	entry 1, 0, 0, 0, NONE, NONE, 1, 0x7654
10:	tilerelease
11:	entry 2, 0, 0, 0, NONE, NONE, 1, 0

// Products of all different tiles.
.irp a, 0, 1, 2, 3, 4, 5, 6, 7
	.irp b, 0, 1, 2, 3, 4, 5, 6, 7
		.irp c, 0, 1, 2, 3, 4, 5, 6, 7
			.if (\a-\b)*(\a-\c)*(\b-\c)
10:			tdpbf16ps %tmm\c, %tmm\b, %tmm\a
11:			entry 6, \a, \b, \c, NONE, NONE, 1, 0
			.endif
		.endr
	.endr
.endr

	.data
	.globl amx_forms_end
	.hidden amx_forms_end
amx_forms_end:

	.section .note.GNU-stack,"",@progbits
