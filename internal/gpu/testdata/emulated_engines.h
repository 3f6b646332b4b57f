// Part of emulated_cudnn.h: the engines, and what they compute.
#pragma once

struct engine {
	std::string name;
	int64_t index;
	std::map<int, int64_t> knobs;
	std::vector<int> notes;
	double cost; // microseconds
	int64_t workspace;
};
static const std::vector<engine> engines = {
	{"slow", 0, {}, {}, 40, 0},
	{"fast", 1, {{3, 1}, {7, 42}}, {}, 10, 4096},
	{"detuned", 1, {{3, 0}, {7, 42}}, {}, 20, 4096},
	{"roomy", 9, {}, {}, 5, 40 << 20},
	{"refused", 2, {}, {}, 1, 0},
	{"late", 3, {}, {}, 1, 0},                    // fails when it is executed
	{"large", 4, {}, {}, 1, int64_t(100) << 30},
	{"dependent", 5, {}, {}, 1, 0},               // adds 0 * NaN
	{"uncaptured", 6, {}, {}, 1, 0},              // can't be captured
	{"nondeterministic", 7, {}, {4}, 1, 0},
	{"narrow", 8, {}, {2}, 1, 0},                 // sums in 16 bits
};
enum { TENSOR_CORES = 20, TENSOR_ENGINES = 30 }; // the engine "tensor" stands for 30, from index 20

static engine tensor_engine(int64_t index) { return {"tensor", index, {}, {0}, 2, 0}; }

static std::vector<engine> engines_of(const std::string &names)
{
	std::vector<engine> list;
	for (auto &name : words(names)) {
		for (int i = 0; name == "tensor" && i < TENSOR_ENGINES; i++)
			list.push_back(tensor_engine(TENSOR_CORES + i));
		for (auto &e : engines)
			if (e.name == name)
				list.push_back(e);
	}
	return list;
}

struct convolution {
	int n, h, w, c, k, r, p, q, stride, dilation, pad, groups;
	bool add = false, bias = false, relu = false, bias_float = false, keep_nan = false;
	float weight = 1; // of the tensor to add
	int64_t x_id = 0, w_id = 0, y_id = 0, side_id = 0, bias_id = 0;
	size_t values() const { return size_t(n) * p * q * k; }
};
struct places {
	const T *x, *w, *side;
	const void *bias;
	T *y;
};

// reachable reports whether all tensors are in device memory and aligned, and the
// result is not in the memory of x.
static bool reachable(const convolution &c, const places &at)
{
	auto ok = [](const void *p, size_t size) { return (uintptr_t)p % 16 == 0 && inside((devptr)(uintptr_t)p, size); };
	return at.y != at.x && ok(at.x, size_t(c.n) * c.h * c.w * c.c * sizeof(T)) && ok(at.w, size_t(c.k) * c.r * c.r * (c.c / c.groups) * sizeof(T)) &&
		ok(at.y, c.values() * sizeof(T)) && (!c.add || ok(at.side, c.values() * sizeof(T))) &&
		(!c.bias || ok(at.bias, c.k * (c.bias_float ? 4 : sizeof(T))));
}

// compute sums in float32 and rounds once, at the end. With a weight of 0 the tensor
// to add is not read, unless dependent is set. ReLU turns NaN into 0 unless it is
// asked not to, and always with EMULATED_NAN=0.
static void compute(const convolution &c, const places &at, bool dependent)
{
	int ins = c.c / c.groups, outs = c.k / c.groups;
	bool keep_nan = c.keep_nan && number("EMULATED_NAN", 1) != 0;
	std::vector<float> x(size_t(c.n) * c.h * c.w * c.c), w(size_t(c.k) * c.r * c.r * ins);
	for (size_t i = 0; i < x.size(); i++)
		x[i] = widen(at.x[i]);
	for (size_t i = 0; i < w.size(); i++)
		w[i] = widen(at.w[i]);
	for (size_t i = 0; i < c.values(); i++) {
		int k = i % c.k, q = i / c.k % c.q, p = i / c.k / c.q % c.p, n = i / c.k / c.q / c.p;
		float sum = 0;
		for (int row = 0; row < c.r; row++)
			for (int column = 0; column < c.r; column++) {
				int h = p * c.stride - c.pad + row * c.dilation, v = q * c.stride - c.pad + column * c.dilation;
				if (h < 0 || h >= c.h || v < 0 || v >= c.w)
					continue;
				const float *from = &x[((size_t(n) * c.h + h) * c.w + v) * c.c + k / outs * ins], *by = &w[((size_t(k) * c.r + row) * c.r + column) * ins];
				for (int j = 0; j < ins; j++)
					sum += from[j] * by[j];
			}
		if (c.add && (c.weight != 0 || dependent))
			sum += c.weight * widen(at.side[i]);
		if (c.bias)
			sum += c.bias_float ? static_cast<const float *>(at.bias)[k] : widen(static_cast<const T *>(at.bias)[k]);
		at.y[i] = narrow(c.relu && (sum < 0 || (sum != sum && !keep_nan)) ? 0 : sum);
	}
}
