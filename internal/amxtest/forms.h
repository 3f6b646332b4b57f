//go:build cgo && linux && amd64

#ifndef REPVGG_AMX_FORMS_H
#define REPVGG_AMX_FORMS_H

#include "emulator.h"

// An instruction as the assembler encodes it.
struct amx_form {
	const uint8_t *code;
	int8_t length, operation, tiles[3];
	int8_t base, index, scale; // registers by their number; -1: none; 16: RIP
	int32_t displacement, unused;
};

extern const struct amx_form amx_forms[], amx_forms_end[];

// The functions below execute instructions; where there is no AMX they trap.

// amx_run_product computes c += a b with the tiles of configuration: a is tile
// 1, b 2 and c 0 for variant 0, and others for variants 1 and 2. It writes the
// configuration as it is before the tiles are released to stored, and returns
// MXCSR as it was before and is after, in the lower and the upper half.
uint64_t amx_run_product(int variant, const void *configuration, const void *a, int64_t a_stride, const void *b,
	int64_t b_stride, void *c, int64_t c_stride, void *stored);

// amx_run_copy loads a tile of one configuration over what another one left in
// it, and stores it with rows and columns that show all of it.
void amx_run_copy(const void *configuration, const void *from, int64_t stride, void *stored);

// amx_run_unconfigured uses a tile without a configuration, amx_run_ud2 executes
// an instruction that no processor has. Neither returns.
void amx_run_unconfigured(void);
void amx_run_ud2(void);

#endif
