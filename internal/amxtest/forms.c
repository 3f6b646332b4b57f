//go:build cgo && linux && amd64

#include "forms.h"

#define PRODUCT(A, B, C)                                                                                                \
	__asm__ volatile("stmxcsr %[before]\n\t"                                                                            \
					 "ldtilecfg (%[configuration])\n\t"                                                                  \
					 "tileloadd (%[c],%[c_stride],1), %%tmm" C "\n\t"                                                    \
					 "tileloadd (%[a],%[a_stride],1), %%tmm" A "\n\t"                                                    \
					 "tileloaddt1 (%[b],%[b_stride],1), %%tmm" B "\n\t"                                                  \
					 "tdpbf16ps %%tmm" B ", %%tmm" A ", %%tmm" C "\n\t"                                                  \
					 "tilestored %%tmm" C ", (%[c],%[c_stride],1)\n\t"                                                   \
					 "sttilecfg (%[stored])\n\t"                                                                         \
					 "tilerelease\n\t"                                                                                   \
					 "stmxcsr %[after]"                                                                                  \
					 : [before] "=m"(before), [after] "=m"(after)                                                        \
					 : [configuration] "r"(configuration), [a] "r"(a), [a_stride] "r"(a_stride), [b] "r"(b),             \
					 [b_stride] "r"(b_stride), [c] "r"(c), [c_stride] "r"(c_stride), [stored] "r"(stored)                \
					 : "memory")

uint64_t amx_run_product(int variant, const void *configuration, const void *a, int64_t a_stride, const void *b,
	int64_t b_stride, void *c, int64_t c_stride, void *stored)
{
	uint32_t before, after;
	switch (variant) {
	case 0:
		PRODUCT("1", "2", "0");
		break;
	case 1:
		PRODUCT("7", "6", "5");
		break;
	default:
		PRODUCT("3", "0", "4");
		break;
	}
	return before | (uint64_t)after << 32;
}

void amx_run_copy(const void *configuration, const void *from, int64_t stride, void *stored)
{
	__asm__ volatile("ldtilecfg (%0)\n\t"
					 "tileloadd (%1,%2,1), %%tmm3\n\t"
					 "tilestored %%tmm3, (%3,%2,1)\n\t"
					 "tilezero %%tmm3\n\t"
					 "tilestored %%tmm3, 0x800(%3,%2,1)\n\t"
					 "tilerelease"
					 :
					 : "r"(configuration), "r"(from), "r"(stride), "r"(stored)
					 : "memory");
}

void amx_run_unconfigured(void)
{
	__asm__ volatile("tilerelease\n\ttilezero %tmm0");
}

void amx_run_ud2(void)
{
	__asm__ volatile("ud2");
}
