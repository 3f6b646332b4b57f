// CUDA's built-in names, on the host. The threads of a block are fibers that take
// turns at barriers. Include kernels.cu after it, with REPVGG_HOST defined.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <csetjmp>
#include <memory>
#include <ucontext.h>
#include <vector>

struct dim {
	unsigned x = 1, y = 1, z = 1;
};
static dim threadIdx, blockIdx, blockDim, gridDim;
static float exchanged[1024];
#define __device__
#define __global__
#define __shared__ static

struct fiber {
	ucontext_t context; // where it begins
	jmp_buf at;         // where it waits: faster than swapcontext, which makes a system call
	std::unique_ptr<char[]> stack;
	bool started, done;
};
static jmp_buf scheduler;
static fiber *running;
static const std::function<void()> *body;

[[gnu::noinline]] static void __syncthreads()
{
	if (_setjmp(running->at) == 0)
		_longjmp(scheduler, 1);
}

// All threads of a block call it at once, as kernels.cu does.
[[maybe_unused]] static float __shfl_xor_sync(unsigned, float v, int lane)
{
	unsigned own = threadIdx.x + blockDim.x * threadIdx.y;
	__syncthreads();
	exchanged[own] = v;
	__syncthreads();
	return exchanged[own ^ lane];
}

[[maybe_unused]] static float __uint_as_float(unsigned u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}
[[maybe_unused]] static unsigned __float_as_uint(float f)
{
	unsigned u;
	memcpy(&u, &f, 4);
	return u;
}

static void enter()
{
	(*body)();
	running->done = true;
	_longjmp(scheduler, 1);
}

// resume lets a fiber run until it waits or is done.
[[gnu::noinline]] static void resume(fiber *f)
{
	running = f;
	if (_setjmp(scheduler) != 0)
		return;
	if (f->started)
		_longjmp(f->at, 1);
	f->started = true;
	setcontext(&f->context);
}

// launch runs a kernel; barriers says whether its threads wait for one another.
static void launch(dim grid, dim block, bool barriers, const std::function<void()> &kernel)
{
	const size_t stack = 64 << 10;
	gridDim = grid;
	blockDim = block;
	body = &kernel;
	static std::vector<fiber> fibers(1024);
	size_t n = barriers ? block.x * block.y : 0;
	auto thread = [&](unsigned t) { threadIdx = {t % block.x, t / block.x, 0}; };
	for (unsigned b = 0; b < grid.x * grid.y; b++) {
		blockIdx = {b % grid.x, b / grid.x, 0};
		for (unsigned t = 0; !barriers && t < block.x * block.y; t++) {
			thread(t);
			kernel();
		}
		for (size_t t = 0; t < n; t++) {
			fiber &f = fibers[t];
			if (!f.stack)
				f.stack.reset(new char[stack]);
			getcontext(&f.context);
			f.context.uc_stack.ss_sp = f.stack.get();
			f.context.uc_stack.ss_size = stack;
			f.context.uc_link = nullptr;
			f.started = f.done = false;
			makecontext(&f.context, enter, 0);
		}
		for (size_t left = n; left > 0;)
			for (size_t t = 0; t < n; t++)
				if (!fibers[t].done) {
					thread(t);
					resume(&fibers[t]);
					left -= fibers[t].done;
				}
	}
}

#ifdef REPVGG_FP16
static std::vector<float> halves() // all values, by the definition
{
	std::vector<float> values;
	for (unsigned h = 0; h < 1 << 16; h++) {
		int exponent = h >> 10 & 31;
		float f = exponent == 0 ? std::ldexp(h & 1023, -24) : exponent == 31 ? ((h & 1023) ? NAN : INFINITY) : std::ldexp(1024 + (h & 1023), exponent - 25);
		values.push_back(h >> 15 ? -f : f);
	}
	return values;
}
static const std::vector<float> values16 = halves();
static inline float widen(unsigned short h) { return values16[h]; }
static unsigned short narrow(float f) // to the nearest, ties to even
{
	unsigned sign = std::signbit(f) ? 0x8000 : 0;
	double magnitude = std::fabs(f);
	if (f != f)
		return 0x7e00;
	if (f == 0)
		return sign;
	int exponent = 0;
	std::frexp(magnitude, &exponent);
	exponent = std::max(exponent - 1, -14);
	double steps = std::nearbyint(std::ldexp(magnitude, 10 - exponent)); // of the last place, at most 2048
	if (!(steps * std::ldexp(1, exponent - 10) < 65520))
		return sign | 0x7c00;
	return sign | (unsigned)((exponent + 14) * 1024 + steps);
}
#endif
