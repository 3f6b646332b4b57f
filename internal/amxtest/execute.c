//go:build cgo && linux && amd64

#include "emulator.h"

#include <immintrin.h>
#include <string.h>

int amx_supported(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool valid(const struct amx_state *state, int tile)
{
	return state->configured && state->rows[tile] != 0;
}

static bool all_zero(const uint8_t *p, int n)
{
	for (int i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static enum amx_outcome load_configuration(struct amx_state *state, const void *memory)
{
	uint8_t b[64];
	memcpy(b, memory, sizeof b);
	struct amx_state next;
	memset(&next, 0, sizeof next);
	if (b[0] > 1)
		return AMX_PROTECTED;
	if (b[0] == 1) {
		next.configured = true;
		next.start_row = b[1];
		if (!all_zero(b + 2, 14) || !all_zero(b + 32, 16) || !all_zero(b + 56, 8))
			return AMX_PROTECTED;
		memcpy(next.colsb, b + 16, sizeof next.colsb);
		memcpy(next.rows, b + 48, sizeof next.rows);
		for (int t = 0; t < AMX_TILES; t++) {
			if (next.colsb[t] > AMX_ROW_BYTES || next.rows[t] > AMX_ROWS)
				return AMX_PROTECTED;
			if ((next.colsb[t] == 0) != (next.rows[t] == 0))
				return AMX_PROTECTED;
		}
	}
	*state = next; // the tiles are zero
	return AMX_DONE;
}

static enum amx_outcome store_configuration(const struct amx_state *state, void *memory)
{
	uint8_t b[64] = {0};
	if (state->configured) {
		b[0] = 1;
		b[1] = state->start_row;
		memcpy(b + 16, state->colsb, sizeof state->colsb);
		memcpy(b + 48, state->rows, sizeof state->rows);
	}
	memcpy(memory, b, sizeof b);
	return AMX_DONE;
}

static void zero_upper_rows(struct amx_state *state, int tile)
{
	for (int i = state->rows[tile]; i < AMX_ROWS; i++)
		memset(state->data[tile][i], 0, AMX_ROW_BYTES);
}

static void write_row_and_zero(struct amx_state *state, int tile, int row, const void *from, int n)
{
	memcpy(state->data[tile][row], from, n);
	memset(state->data[tile][row] + n, 0, AMX_ROW_BYTES - n);
}

static void load_tile(struct amx_state *state, const struct amx_instruction *in)
{
	int tile = in->tiles[0];
	for (int i = state->start_row; i < state->rows[tile]; i++) {
		const void *from = (const void *)(in->address + (uint64_t)(i * in->stride));
		write_row_and_zero(state, tile, i, from, state->colsb[tile]);
	}
	zero_upper_rows(state, tile);
	state->start_row = 0;
}

static void store_tile(struct amx_state *state, const struct amx_instruction *in)
{
	int tile = in->tiles[0];
	for (int i = state->start_row; i < state->rows[tile]; i++)
		memcpy((void *)(in->address + (uint64_t)(i * in->stride)), state->data[tile][i], state->colsb[tile]);
	state->start_row = 0;
}

// multiply_row computes the sums of row m in the order of the manual: the even
// and the odd elements each in a chain of fused multiply-adds from zero, their
// sum, and that added to what was there.
__attribute__((target("avx2,fma"))) static void multiply_row(float *sums, const struct amx_state *state, int m, int src1,
	int src2, int pairs)
{
	__m256 even[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
	__m256 odd[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
	const __m256i upper = _mm256_set1_epi32((int)0xffff0000);
	for (int k = 0; k < pairs; k++) {
		int32_t pair;
		memcpy(&pair, &state->data[src1][m][4 * k], sizeof pair);
		__m256i a = _mm256_set1_epi32(pair);
		for (int h = 0; h < 2; h++) {
			__m256i b = _mm256_loadu_si256((const __m256i *)&state->data[src2][k][32 * h]);
			even[h] = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_slli_epi32(a, 16)),
				_mm256_castsi256_ps(_mm256_slli_epi32(b, 16)), even[h]);
			odd[h] = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_and_si256(a, upper)),
				_mm256_castsi256_ps(_mm256_and_si256(b, upper)), odd[h]);
		}
	}
	for (int h = 0; h < 2; h++) {
		__m256 sum = _mm256_loadu_ps(sums + 8 * h);
		_mm256_storeu_ps(sums + 8 * h, _mm256_add_ps(sum, _mm256_add_ps(even[h], odd[h])));
	}
}

// Not inlined: its arithmetic must stay between the changes of MXCSR.
__attribute__((noinline)) static void multiply_rows(struct amx_state *state, int dst, int src1, int src2)
{
	for (int m = 0; m < state->rows[dst]; m++) {
		float sums[16];
		memcpy(sums, state->data[dst][m], sizeof sums);
		multiply_row(sums, state, m, src1, src2, state->colsb[src1] / 4);
		write_row_and_zero(state, dst, m, sums, state->colsb[dst]);
	}
}

static enum amx_outcome multiply(struct amx_state *state, const struct amx_instruction *in)
{
	int dst = in->tiles[0], src1 = in->tiles[1], src2 = in->tiles[2];
	if (!valid(state, dst) || !valid(state, src1) || !valid(state, src2))
		return AMX_UNDEFINED;
	if (state->colsb[dst] % 4 != 0 || state->colsb[src1] % 4 != 0 || state->colsb[src2] % 4 != 0)
		return AMX_UNDEFINED;
	if (state->rows[dst] != state->rows[src1] || state->colsb[dst] != state->colsb[src2] ||
		state->colsb[src1] / 4 != state->rows[src2])
		return AMX_UNDEFINED;
	// Round to nearest even, denormals are zero going in and coming out, whatever
	// the interrupted code had set.
	uint32_t saved, fixed = 0x9fc0;
	__asm__ volatile("stmxcsr %0" : "=m"(saved) : : "memory");
	__asm__ volatile("ldmxcsr %0" : : "m"(fixed) : "memory");
	multiply_rows(state, dst, src1, src2);
	__asm__ volatile("ldmxcsr %0" : : "m"(saved) : "memory");
	zero_upper_rows(state, dst);
	state->start_row = 0;
	return AMX_DONE;
}

enum amx_outcome amx_execute(struct amx_state *state, const struct amx_instruction *in)
{
	switch (in->operation) {
	case AMX_LDTILECFG:
		return load_configuration(state, (const void *)in->address);
	case AMX_STTILECFG:
		return store_configuration(state, (void *)in->address);
	case AMX_TILERELEASE:
		memset(state, 0, sizeof *state);
		return AMX_DONE;
	case AMX_TDPBF16PS:
		return multiply(state, in);
	default:
		break;
	}
	if (!valid(state, in->tiles[0]))
		return AMX_UNDEFINED;
	switch (in->operation) {
	case AMX_TILEZERO:
		memset(state->data[in->tiles[0]], 0, sizeof state->data[in->tiles[0]]);
		state->start_row = 0;
		break;
	case AMX_TILELOADD:
		load_tile(state, in);
		break;
	default:
		store_tile(state, in);
		break;
	}
	return AMX_DONE;
}
