//go:build cgo && linux && amd64

#ifndef REPVGG_AMX_EMULATOR_H
#define REPVGG_AMX_EMULATOR_H

#include <stdbool.h>
#include <stdint.h>

enum { AMX_TILES = 8, AMX_ROWS = 16, AMX_ROW_BYTES = 64 };

// What became of an instruction.
enum amx_outcome {
	AMX_FOREIGN,   // it is none of ours
	AMX_DONE,      // no exception
	AMX_UNDEFINED, // #UD
	AMX_PROTECTED, // #GP
};

enum amx_operation {
	AMX_LDTILECFG,
	AMX_STTILECFG,
	AMX_TILERELEASE,
	AMX_TILEZERO,
	AMX_TILELOADD,
	AMX_TILESTORED,
	AMX_TDPBF16PS,
};

struct amx_instruction {
	enum amx_operation operation;
	int length;       // bytes
	int tiles[3];     // as the manual's operands 1 to 3
	uint64_t address; // of memory, of row 0 if it is a tile
	int64_t stride;   // of a tile's rows
};

// The state of a thread.
struct amx_state {
	bool configured;
	uint8_t start_row;
	uint8_t rows[AMX_TILES];
	uint16_t colsb[AMX_TILES];
	uint8_t data[AMX_TILES][AMX_ROWS][AMX_ROW_BYTES];
};

// amx_decode reads the instruction at code. registers are the general ones, by
// their number in an instruction, and then RIP.
enum amx_outcome amx_decode(const uint8_t *code, const uint64_t *registers, struct amx_instruction *in);

// amx_execute executes it. Memory that cannot be read or written ends the
// program with SIGSEGV.
enum amx_outcome amx_execute(struct amx_state *state, const struct amx_instruction *in);

// amx_install replaces the handler of SIGILL, amx_restore puts the earlier one
// back. They return 0 or errno.
int amx_install(void);
int amx_restore(void);

// amx_supported reports whether this processor has what the emulator needs.
int amx_supported(void);

// amx_count is the number of instructions that were emulated, amx_configured
// that of the threads with configured tiles.
int64_t amx_count(void);
int64_t amx_configured(void);

#endif
