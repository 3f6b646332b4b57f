//go:build cgo && linux && amd64

#include "emulator.h"

#include <string.h>

enum { RIP = 16, NO_REGISTER = -1 };

static int32_t read_int32(const uint8_t *p)
{
	int32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

// The parts of an instruction with a VEX prefix of three bytes.
struct encoding {
	int opcode, prefix; // prefix: none, 66, F3, F2
	int vvvv;
	int mod, reg, rm; // with the prefix's bits
	int rm_low;       // without
	bool sib;
	uint64_t address; // without the index
	uint64_t index;   // scaled
	int length;
};

// decode_memory reads what follows a ModRM byte that names memory.
static void decode_memory(const uint8_t *p, int x, int b, const uint64_t *registers, struct encoding *e)
{
	int base = e->rm;
	int displacement = e->mod == 1 ? 1 : e->mod == 2 ? 4 : 0;
	bool relative = false;
	e->sib = e->rm_low == 4;
	if (e->sib) {
		int scale = *p >> 6, index = (*p >> 3 & 7) | x << 3;
		base = (*p & 7) | b << 3;
		if ((base & 7) == 5 && e->mod == 0) {
			base = NO_REGISTER;
			displacement = 4;
		}
		if (index != 4)
			e->index = registers[index] << scale;
		p++;
		e->length++;
	} else if (e->rm_low == 5 && e->mod == 0) {
		base = NO_REGISTER;
		relative = true;
		displacement = 4;
	}
	if (base != NO_REGISTER)
		e->address = registers[base];
	if (displacement == 1)
		e->address += (int64_t)(int8_t)*p;
	else if (displacement == 4)
		e->address += (int64_t)read_int32(p);
	e->length += displacement;
	if (relative)
		e->address += registers[RIP] + e->length;
}

// decode_vex reads an instruction of the opcode map 0F38 with W and L zero, as
// all of AMX's are.
static bool decode_vex(const uint8_t *code, const uint64_t *registers, struct encoding *e)
{
	if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84) != 0)
		return false;
	int r = code[1] & 0x80 ? 0 : 1, x = code[1] & 0x40 ? 0 : 1, b = code[1] & 0x20 ? 0 : 1;
	memset(e, 0, sizeof *e);
	e->vvvv = ~code[2] >> 3 & 15;
	e->prefix = code[2] & 3;
	e->opcode = code[3];
	if (e->opcode != 0x49 && e->opcode != 0x4b && e->opcode != 0x5c)
		return false;
	e->mod = code[4] >> 6;
	e->reg = (code[4] >> 3 & 7) | r << 3;
	e->rm_low = code[4] & 7;
	e->rm = e->rm_low | b << 3;
	e->length = 5;
	if (e->mod != 3)
		decode_memory(code + 5, x, b, registers, e);
	return true;
}

static enum amx_outcome configuration(const struct encoding *e, struct amx_instruction *in)
{
	if (e->vvvv != 0)
		return AMX_UNDEFINED;
	switch (e->prefix) {
	case 0:
		if ((e->reg & 7) != 0)
			return AMX_FOREIGN;
		if (e->mod == 3 && e->rm_low != 0)
			return AMX_FOREIGN;
		in->operation = e->mod == 3 ? AMX_TILERELEASE : AMX_LDTILECFG;
		return AMX_DONE;
	case 1:
		if ((e->reg & 7) != 0 || e->mod == 3)
			return AMX_FOREIGN;
		in->operation = AMX_STTILECFG;
		return AMX_DONE;
	case 3:
		if (e->mod != 3 || e->rm_low != 0)
			return AMX_FOREIGN;
		in->operation = AMX_TILEZERO;
		in->tiles[0] = e->reg;
		return e->reg < AMX_TILES ? AMX_DONE : AMX_UNDEFINED;
	default:
		return AMX_FOREIGN;
	}
}

static enum amx_outcome transfer(const struct encoding *e, struct amx_instruction *in)
{
	if (e->prefix == 0 || e->mod == 3)
		return AMX_FOREIGN;
	// TILELOADDT1 (66) is TILELOADD (F2) with a hint.
	in->operation = e->prefix == 2 ? AMX_TILESTORED : AMX_TILELOADD;
	in->tiles[0] = e->reg;
	return e->sib && e->vvvv == 0 && e->reg < AMX_TILES ? AMX_DONE : AMX_UNDEFINED;
}

static enum amx_outcome product(const struct encoding *e, struct amx_instruction *in)
{
	if (e->prefix != 2 || e->mod != 3)
		return AMX_FOREIGN;
	in->operation = AMX_TDPBF16PS;
	in->tiles[0] = e->reg;
	in->tiles[1] = e->rm;
	in->tiles[2] = e->vvvv;
	bool exist = e->reg < AMX_TILES && e->rm < AMX_TILES && e->vvvv < AMX_TILES;
	bool differ = e->reg != e->rm && e->reg != e->vvvv && e->rm != e->vvvv;
	return exist && differ ? AMX_DONE : AMX_UNDEFINED;
}

enum amx_outcome amx_decode(const uint8_t *code, const uint64_t *registers, struct amx_instruction *in)
{
	struct encoding e;
	if (!decode_vex(code, registers, &e))
		return AMX_FOREIGN;
	memset(in, 0, sizeof *in);
	in->length = e.length;
	in->address = e.address;
	switch (e.opcode) {
	case 0x49:
		in->address += e.index;
		return configuration(&e, in);
	case 0x4b:
		in->stride = (int64_t)e.index;
		return transfer(&e, in);
	default:
		return product(&e, in);
	}
}
