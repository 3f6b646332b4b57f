// The part of cuDNN 9 that internal/gpu uses, as its documentation has it, for the
// host. It knows one pattern of graph: a convolution of N, H, W, C and after it,
// each if wanted, the sum with a tensor, the sum with a bias, ReLU. It is strict,
// and ends the program where a real one might get away with it: when something is
// used that was destroyed or not finalized, or a handle by two threads at once. It
// can't tell whether the real cuDNN takes a graph.
//
// EMULATED_ENGINES are the names of the engines (below) that heuristic A proposes,
// B from the last to the first; EMULATED_FALLBACK those of the third heuristic;
// EMULATED_REFUSED those that no plan can be made of. EMULATED_PLAN is the memory
// that a plan takes; EMULATED_HANDLES how many handles there may be;
// EMULATED_LEGACY what a convolution of the older interface costs in microseconds,
// 0 that there is none; EMULATED_LEGACY_REMEMBERS=1 lets it add 0 * NaN.
#pragma once

#include "cudnn.h"

#include <mutex>
#include <sstream>
#include <sys/mman.h>
#include <unistd.h>

enum { // cudnnStatus_t
	BAD_PARAM = 2000,
	ATTRIBUTE_TYPE = 2010,
	NOT_SUPPORTED = 3000,
	DEVICE_MEMORY = 4004,
	EXECUTION_FAILED = 5000,
};
#if defined(REPVGG_FP16)
enum { OWN_TYPE = RG_HALF };
#elif defined(REPVGG_BF16)
enum { OWN_TYPE = RG_BFLOAT16 };
#else
enum { OWN_TYPE = RG_FLOAT };
#endif

static std::recursive_mutex cudnn_mutex; // several threads make plans
#define LOCKED std::lock_guard<std::recursive_mutex> locked(cudnn_mutex)

[[noreturn]] static void die(const char *why, int type = -1)
{
	fprintf(stderr, "emulated cuDNN: %s (type %d)\n", why, type);
	abort();
}
static thread_local std::string said;
static int refuse(int status, const char *why) { return said = why, status; }

static std::string text_of(const char *variable, const std::string &otherwise)
{
	const char *text = getenv(variable);
	return text != nullptr ? text : otherwise;
}
static std::vector<std::string> words(const std::string &text)
{
	std::istringstream in(text);
	std::vector<std::string> all;
	for (std::string w; in >> w;)
		all.push_back(w);
	return all;
}

// Engines.

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
	{"remembers", 5, {}, {}, 1, 0},               // adds 0 * NaN
	{"uncaptured", 6, {}, {}, 1, 0},              // can't be captured
	{"nondeterministic", 7, {}, {4}, 1, 0},
	{"narrow", 8, {}, {2}, 1, 0},                 // sums in 16 bits
};
enum { TENSOR_CORES = 20, TENSOR_ENGINES = 30 }; // engines of their own

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

// Convolutions.

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

// reachable tells whether all of the tensors lie in device memory, aligned, and
// the result not where it is still read.
static bool reachable(const convolution &c, const places &at)
{
	auto ok = [](const void *p, size_t size) { return (uintptr_t)p % 16 == 0 && inside((devptr)(uintptr_t)p, size); };
	return at.y != at.x && ok(at.x, size_t(c.n) * c.h * c.w * c.c * sizeof(T)) && ok(at.w, size_t(c.k) * c.r * c.r * (c.c / c.groups) * sizeof(T)) &&
		ok(at.y, c.values() * sizeof(T)) && (!c.add || ok(at.side, c.values() * sizeof(T))) &&
		(!c.bias || ok(at.bias, c.k * (c.bias_float ? 4 : sizeof(T))));
}

// compute sums in float32 and rounds once, at the end. A weight of 0 means that
// the tensor to add is not looked at, unless remembers is set. ReLU makes NaN 0
// unless it is asked not to, or in any case with EMULATED_NAN=0.
static void compute(const convolution &c, const places &at, bool remembers)
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
		if (c.add && (c.weight != 0 || remembers))
			sum += c.weight * widen(at.side[i]);
		if (c.bias)
			sum += c.bias_float ? static_cast<const float *>(at.bias)[k] : widen(static_cast<const T *>(at.bias)[k]);
		at.y[i] = narrow(c.relu && (sum < 0 || (sum != sum && !keep_nan)) ? 0 : sum);
	}
}

// Descriptors, also those of the older interface, and handles. Their addresses are
// never used twice and hold nothing.

enum { HANDLE = 1000, LEGACY_TENSOR, LEGACY_FILTER, LEGACY_CONVOLUTION, LEGACY_ACTIVATION };

struct value {
	int type;
	int64_t n;
	std::vector<char> bytes;
};
struct descriptor {
	int type;
	bool finalized = false, busy = false;
	std::map<int, value> attributes;
	// What of these there is depends on the type.
	convolution conv = {};
	engine chosen = {};
	std::vector<engine> proposed;
	std::vector<int> numbers; // of the older interface
	void *stream = nullptr;
	size_t memory = 0; // of the device's
};
static std::map<void *, descriptor> descriptors;

static void *make(int type)
{
	static char *next = static_cast<char *>(mmap(nullptr, size_t(1) << 32, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	next += 16;
	descriptors[next].type = type;
	objects++;
	return next;
}
// living is a descriptor of a type, or of any (-1).
static descriptor &living(const void *d, int type)
{
	auto found = descriptors.find(const_cast<void *>(d));
	if (found == descriptors.end())
		die("what was destroyed is used, or never was", type);
	if (type >= 0 && found->second.type != type)
		die("something of another type is used", type);
	return found->second;
}
static descriptor &finalized(const void *d, int type)
{
	descriptor &found = living(d, type);
	if (!found.finalized)
		die("what is not finalized is used", type);
	return found;
}
static int destroy(void *d, int type)
{
	used -= living(d, type).memory;
	descriptors.erase(d);
	objects--;
	return SUCCESS;
}

template <class V> static std::vector<V> all(const descriptor &d, int name)
{
	auto found = d.attributes.find(name);
	if (found == d.attributes.end())
		return {};
	std::vector<V> v(found->second.n);
	memcpy(v.data(), found->second.bytes.data(), found->second.bytes.size());
	return v;
}
template <class V> static V one(const descriptor &d, int name, V otherwise = {})
{
	auto v = all<V>(d, name);
	return v.empty() ? otherwise : v[0];
}
static descriptor &part(const descriptor &d, int name, int type) { return finalized(one<void *>(d, name), type); }

// What can be set: least to most values, none needed where least is 0. of is the
// type of what is referred to.
struct rule {
	int name, type, least, most, of;
};
static const std::map<int, std::vector<rule>> rules = {
	{RG_TENSOR, {{RG_TENSOR_BYTE_ALIGNMENT, RG_TYPE_INT64, 1, 1, -1}, {RG_TENSOR_DATA_TYPE, RG_TYPE_DATA_TYPE, 1, 1, -1},
		{RG_TENSOR_DIMENSIONS, RG_TYPE_INT64, 1, 8, -1}, {RG_TENSOR_STRIDES, RG_TYPE_INT64, 1, 8, -1},
		{RG_TENSOR_UNIQUE_ID, RG_TYPE_INT64, 1, 1, -1}, {RG_TENSOR_IS_VIRTUAL, RG_TYPE_BOOLEAN, 0, 1, -1}}},
	{RG_CONVOLUTION, {{RG_CONVOLUTION_COMP_TYPE, RG_TYPE_DATA_TYPE, 1, 1, -1}, {RG_CONVOLUTION_CONV_MODE, RG_TYPE_CONVOLUTION_MODE, 1, 1, -1},
		{RG_CONVOLUTION_DILATIONS, RG_TYPE_INT64, 2, 2, -1}, {RG_CONVOLUTION_FILTER_STRIDES, RG_TYPE_INT64, 2, 2, -1},
		{RG_CONVOLUTION_POST_PADDINGS, RG_TYPE_INT64, 2, 2, -1}, {RG_CONVOLUTION_PRE_PADDINGS, RG_TYPE_INT64, 2, 2, -1},
		{RG_CONVOLUTION_SPATIAL_DIMS, RG_TYPE_INT64, 1, 1, -1}}},
	{RG_POINTWISE, {{RG_POINTWISE_MODE, RG_TYPE_POINTWISE_MODE, 1, 1, -1}, {RG_POINTWISE_MATH_PREC, RG_TYPE_DATA_TYPE, 1, 1, -1},
		{RG_POINTWISE_NAN_PROPAGATION, RG_TYPE_NAN_PROPAGATION, 0, 1, -1}}},
	{RG_OPERATION_CONVOLUTION, {{RG_CONV_FORWARD_ALPHA, RG_TYPE_FLOAT, 1, 1, -1}, {RG_CONV_FORWARD_BETA, RG_TYPE_FLOAT, 1, 1, -1},
		{RG_CONV_FORWARD_CONV_DESC, RG_TYPE_DESCRIPTOR, 1, 1, RG_CONVOLUTION}, {RG_CONV_FORWARD_W, RG_TYPE_DESCRIPTOR, 1, 1, RG_TENSOR},
		{RG_CONV_FORWARD_X, RG_TYPE_DESCRIPTOR, 1, 1, RG_TENSOR}, {RG_CONV_FORWARD_Y, RG_TYPE_DESCRIPTOR, 1, 1, RG_TENSOR}}},
	{RG_OPERATION_POINTWISE, {{RG_OPERATION_POINTWISE_DESC, RG_TYPE_DESCRIPTOR, 1, 1, RG_POINTWISE}, {RG_OPERATION_POINTWISE_X, RG_TYPE_DESCRIPTOR, 1, 1, RG_TENSOR},
		{RG_OPERATION_POINTWISE_B, RG_TYPE_DESCRIPTOR, 0, 1, RG_TENSOR}, {RG_OPERATION_POINTWISE_Y, RG_TYPE_DESCRIPTOR, 1, 1, RG_TENSOR},
		{RG_OPERATION_POINTWISE_ALPHA1, RG_TYPE_FLOAT, 0, 1, -1}, {RG_OPERATION_POINTWISE_ALPHA2, RG_TYPE_FLOAT, 0, 1, -1}}},
	{RG_OPERATION_GRAPH, {{RG_OPERATIONGRAPH_HANDLE, RG_TYPE_HANDLE, 1, 1, HANDLE}, {RG_OPERATIONGRAPH_OPS, RG_TYPE_DESCRIPTOR, 1, 50, -1}}},
	{RG_HEURISTICS, {{RG_ENGINEHEUR_OPERATION_GRAPH, RG_TYPE_DESCRIPTOR, 1, 1, RG_OPERATION_GRAPH}, {RG_ENGINEHEUR_MODE, RG_TYPE_HEUR_MODE, 1, 1, -1}}},
	{RG_ENGINE, {{RG_ENGINE_OPERATION_GRAPH, RG_TYPE_DESCRIPTOR, 1, 1, RG_OPERATION_GRAPH}, {RG_ENGINE_GLOBAL_INDEX, RG_TYPE_INT64, 1, 1, -1}}},
	{RG_ENGINE_CONFIG, {{RG_ENGINECFG_ENGINE, RG_TYPE_DESCRIPTOR, 1, 1, RG_ENGINE}, {RG_ENGINECFG_KNOB_CHOICES, RG_TYPE_DESCRIPTOR, 0, 64, RG_KNOB_CHOICE}}},
	{RG_KNOB_CHOICE, {{RG_KNOB_CHOICE_TYPE, RG_TYPE_KNOB_TYPE, 1, 1, -1}, {RG_KNOB_CHOICE_VALUE, RG_TYPE_INT64, 1, 1, -1}}},
	{RG_EXECUTION_PLAN, {{RG_PLAN_HANDLE, RG_TYPE_HANDLE, 1, 1, HANDLE}, {RG_PLAN_ENGINE_CONFIG, RG_TYPE_DESCRIPTOR, 1, 1, RG_ENGINE_CONFIG}}},
	{RG_VARIANT_PACK, {{RG_VARIANT_PACK_UNIQUE_IDS, RG_TYPE_INT64, 1, 50, -1}, {RG_VARIANT_PACK_DATA_POINTERS, RG_TYPE_VOID_PTR, 1, 50, -1},
		{RG_VARIANT_PACK_WORKSPACE, RG_TYPE_VOID_PTR, 0, 1, -1}}},
};
static size_t size_of(int type)
{
	switch (type) {
	case RG_TYPE_BOOLEAN:
		return 1;
	case RG_TYPE_HANDLE:
	case RG_TYPE_INT64:
	case RG_TYPE_VOID_PTR:
	case RG_TYPE_DESCRIPTOR:
		return 8;
	}
	return 4;
}

// Finalizing.

static int check_tensor(const descriptor &d)
{
	auto dims = all<int64_t>(d, RG_TENSOR_DIMENSIONS), strides = all<int64_t>(d, RG_TENSOR_STRIDES);
	if (dims.size() != 4 || strides.size() != 4)
		return refuse(NOT_SUPPORTED, "want four dimensions");
	for (auto v : dims)
		if (v < 1)
			return refuse(BAD_PARAM, "a dimension is not positive");
	if (strides != std::vector<int64_t>{dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]})
		return refuse(BAD_PARAM, "the strides are not those of N, H, W, C");
	int64_t alignment = one<int64_t>(d, RG_TENSOR_BYTE_ALIGNMENT);
	if (alignment < 1 || (alignment & (alignment - 1)) != 0)
		return refuse(BAD_PARAM, "the alignment is no power of two");
	return SUCCESS;
}

// is tells whether a tensor is of a type and of these dimensions.
static bool is(const descriptor &d, int type, bool is_virtual, std::vector<int64_t> dims)
{
	return one<int>(d, RG_TENSOR_DATA_TYPE) == type && one<char>(d, RG_TENSOR_IS_VIRTUAL) == is_virtual && all<int64_t>(d, RG_TENSOR_DIMENSIONS) == dims;
}

// understand reads the one pattern.
static int understand(descriptor &graph)
{
	auto operations = all<void *>(graph, RG_OPERATIONGRAPH_OPS);
	convolution c;
	std::vector<int64_t> result; // dimensions
	std::map<int64_t, void *> ids;
	void *last = nullptr;
	// use is the tensor of an operation; two of one id must be one tensor.
	bool doubled = false;
	auto use = [&](const descriptor &operation, int name) -> descriptor & {
		void *d = one<void *>(operation, name);
		descriptor &t = finalized(d, RG_TENSOR);
		auto at = ids.emplace(one<int64_t>(t, RG_TENSOR_UNIQUE_ID), d);
		doubled = doubled || at.first->second != d;
		return t;
	};
	auto id = [](const descriptor &t) { return one<int64_t>(t, RG_TENSOR_UNIQUE_ID); };
	enum { CONV, ADD, BIAS, RELU } stage = CONV;
	for (size_t i = 0; i < operations.size(); i++) {
		descriptor &o = finalized(operations[i], -1);
		bool final = i + 1 == operations.size();
		if (o.type != (i == 0 ? RG_OPERATION_CONVOLUTION : RG_OPERATION_POINTWISE))
			return refuse(NOT_SUPPORTED, "want a convolution and pointwise operations");
		descriptor &y = use(o, i == 0 ? int(RG_CONV_FORWARD_Y) : int(RG_OPERATION_POINTWISE_Y));
		if (i == 0) {
			descriptor &x = use(o, RG_CONV_FORWARD_X), &w = use(o, RG_CONV_FORWARD_W), &d = part(o, RG_CONV_FORWARD_CONV_DESC, RG_CONVOLUTION);
			auto xd = all<int64_t>(x, RG_TENSOR_DIMENSIONS), wd = all<int64_t>(w, RG_TENSOR_DIMENSIONS);
			result = all<int64_t>(y, RG_TENSOR_DIMENSIONS);
			if (!is(x, OWN_TYPE, false, xd) || !is(w, OWN_TYPE, false, wd))
				return refuse(NOT_SUPPORTED, "types of the factors");
			auto strides = all<int64_t>(d, RG_CONVOLUTION_FILTER_STRIDES), dilations = all<int64_t>(d, RG_CONVOLUTION_DILATIONS),
				pre = all<int64_t>(d, RG_CONVOLUTION_PRE_PADDINGS), post = all<int64_t>(d, RG_CONVOLUTION_POST_PADDINGS);
			for (auto &v : {strides, dilations, pre, post})
				if (v[0] != v[1] || v[0] < 0)
					return refuse(NOT_SUPPORTED, "want the same for height and width");
			if (one<int>(d, RG_CONVOLUTION_COMP_TYPE, -1) != RG_FLOAT || one<int>(d, RG_CONVOLUTION_CONV_MODE) != RG_CROSS_CORRELATION ||
				one<int64_t>(d, RG_CONVOLUTION_SPATIAL_DIMS) != 2 || pre != post || one<float>(o, RG_CONV_FORWARD_ALPHA) != 1 || one<float>(o, RG_CONV_FORWARD_BETA, 1) != 0)
				return refuse(NOT_SUPPORTED, "kind of convolution");
			if (strides[0] < 1 || dilations[0] < 1 || wd[2] != wd[3] || xd[1] % wd[1] != 0 || wd[0] % (xd[1] / wd[1]) != 0)
				return refuse(BAD_PARAM, "the factors do not fit together");
			int64_t reach = dilations[0] * (wd[2] - 1) + 1;
			if (result != std::vector<int64_t>{xd[0], wd[0], (xd[2] + 2 * pre[0] - reach) / strides[0] + 1, (xd[3] + 2 * pre[0] - reach) / strides[0] + 1})
				return refuse(BAD_PARAM, "the result's dimensions");
			c = {int(xd[0]), int(xd[2]), int(xd[3]), int(xd[1]), int(wd[0]), int(wd[2]), int(result[2]), int(result[3]),
				int(strides[0]), int(dilations[0]), int(pre[0]), int(xd[1] / wd[1])};
			c.x_id = id(x), c.w_id = id(w);
		} else {
			if (one<void *>(o, RG_OPERATION_POINTWISE_X) != last)
				return refuse(NOT_SUPPORTED, "an operation does not take the result of the one before");
			descriptor &d = part(o, RG_OPERATION_POINTWISE_DESC, RG_POINTWISE);
			int mode = one<int>(d, RG_POINTWISE_MODE);
			bool operand = o.attributes.count(RG_OPERATION_POINTWISE_B);
			if (one<int>(d, RG_POINTWISE_MATH_PREC, -1) != RG_FLOAT || one<float>(o, RG_OPERATION_POINTWISE_ALPHA1, 1) != 1 || operand != (mode == RG_POINTWISE_ADD))
				return refuse(BAD_PARAM, "kind of pointwise operation");
			float weight = one<float>(o, RG_OPERATION_POINTWISE_ALPHA2, 1);
			if (mode == RG_POINTWISE_RELU && stage < RELU) {
				stage = RELU;
				c.relu = true;
				c.keep_nan = one<int>(d, RG_POINTWISE_NAN_PROPAGATION) == RG_PROPAGATE_NAN;
			} else if (mode == RG_POINTWISE_ADD) {
				descriptor &b = use(o, RG_OPERATION_POINTWISE_B);
				if (stage < ADD && is(b, OWN_TYPE, false, result)) {
					stage = ADD;
					c.add = true, c.weight = weight, c.side_id = id(b);
				} else if (stage < BIAS && weight == 1 && (is(b, OWN_TYPE, false, {1, c.k, 1, 1}) || is(b, RG_FLOAT, false, {1, c.k, 1, 1}))) {
					stage = BIAS;
					c.bias = true, c.bias_float = one<int>(b, RG_TENSOR_DATA_TYPE) == RG_FLOAT, c.bias_id = id(b);
				} else
					return refuse(NOT_SUPPORTED, "what is added");
			} else
				return refuse(NOT_SUPPORTED, "the order of operations");
		}
		if (!is(y, final ? int(OWN_TYPE) : int(RG_FLOAT), !final, result))
			return refuse(NOT_SUPPORTED, "the result of an operation");
		last = one<void *>(o, i == 0 ? int(RG_CONV_FORWARD_Y) : int(RG_OPERATION_POINTWISE_Y));
		c.y_id = id(y);
	}
	if (doubled)
		return refuse(BAD_PARAM, "two tensors have one id");
	for (auto &t : ids)
		if (one<int64_t>(finalized(t.second, RG_TENSOR), RG_TENSOR_BYTE_ALIGNMENT) % 16 != 0)
			return refuse(NOT_SUPPORTED, "alignment");
	graph.conv = c;
	return SUCCESS;
}

static int propose(descriptor &h)
{
	const convolution &c = part(h, RG_ENGINEHEUR_OPERATION_GRAPH, RG_OPERATION_GRAPH).conv;
	int mode = one<int>(h, RG_ENGINEHEUR_MODE);
	bool fallback = mode == RG_HEUR_MODE_FALLBACK;
	// Odd channels are for the fallback.
	if (!fallback && sizeof(T) == 2 && ((c.c / c.groups) % 2 != 0 || c.k % 2 != 0))
		return mode == RG_HEUR_MODE_A ? refuse(NOT_SUPPORTED, "no engine configurations") : SUCCESS;
	h.proposed = engines_of(fallback ? text_of("EMULATED_FALLBACK", "slow") : text_of("EMULATED_ENGINES", sizeof(T) == 4 ? "tensor slow detuned fast" : "slow detuned fast"));
	if (mode == RG_HEUR_MODE_B)
		std::reverse(h.proposed.begin(), h.proposed.end());
	return SUCCESS;
}

static int find_engine(descriptor &d)
{
	int64_t index = one<int64_t>(d, RG_ENGINE_GLOBAL_INDEX);
	if (index >= TENSOR_CORES && index < TENSOR_CORES + TENSOR_ENGINES)
		return d.chosen = tensor_engine(index), SUCCESS;
	for (auto &e : engines)
		if (e.index == index)
			return d.chosen = e, SUCCESS;
	return refuse(NOT_SUPPORTED, "there is no such engine");
}

static int configure(descriptor &d)
{
	d.chosen = part(d, RG_ENGINECFG_ENGINE, RG_ENGINE).chosen;
	std::map<int, int64_t> knobs;
	for (void *k : all<void *>(d, RG_ENGINECFG_KNOB_CHOICES)) {
		descriptor &choice = finalized(k, RG_KNOB_CHOICE);
		if (!knobs.emplace(one<int>(choice, RG_KNOB_CHOICE_TYPE), one<int64_t>(choice, RG_KNOB_CHOICE_VALUE)).second)
			return refuse(BAD_PARAM, "a knob is set twice");
	}
	if (d.chosen.name == "tensor" && knobs.empty())
		return SUCCESS;
	for (auto &e : engines)
		if (e.index == d.chosen.index && e.knobs == knobs)
			return d.chosen = e, SUCCESS;
	return refuse(NOT_SUPPORTED, "knobs that the engine does not have");
}

// plan is what takes long, and what several threads do at once.
static int plan(descriptor &d)
{
	descriptor &config = part(d, RG_PLAN_ENGINE_CONFIG, RG_ENGINE_CONFIG);
	d.chosen = config.chosen;
	d.conv = part(part(config, RG_ENGINECFG_ENGINE, RG_ENGINE), RG_ENGINE_OPERATION_GRAPH, RG_OPERATION_GRAPH).conv;
	if (d.conv.bias && !d.conv.bias_float)
		d.chosen.cost *= 0.9;
	if (d.conv.weight == 0)
		d.chosen.cost *= 0.8;
	else if (d.chosen.name == "remembers")
		d.chosen.cost = 100; // else it would be the best for other graphs
	for (auto &name : words(text_of("EMULATED_REFUSED", "refused")))
		if (name == d.chosen.name)
			return refuse(NOT_SUPPORTED, "no kernel for it");
	size_t memory = number("EMULATED_PLAN", 4096);
	if (used + memory > total())
		return refuse(DEVICE_MEMORY, "no memory for the code");
	used += memory;
	d.memory = memory;
	return SUCCESS;
}

static int finalize(descriptor &d)
{
	for (auto &r : rules.at(d.type))
		if (r.least > 0 && d.attributes.count(r.name) == 0)
			return refuse(BAD_PARAM, "an attribute is missing");
	switch (d.type) {
	case RG_TENSOR:
		return check_tensor(d);
	case RG_OPERATION_GRAPH:
		return understand(d);
	case RG_HEURISTICS:
		return propose(d);
	case RG_ENGINE:
		return find_engine(d);
	case RG_ENGINE_CONFIG:
		return configure(d);
	case RG_EXECUTION_PLAN:
		return plan(d);
	case RG_VARIANT_PACK:
		if (all<int64_t>(d, RG_VARIANT_PACK_UNIQUE_IDS).size() != all<void *>(d, RG_VARIANT_PACK_DATA_POINTERS).size())
			return refuse(BAD_PARAM, "not as many pointers as ids");
	}
	return SUCCESS;
}

// Reading.

// fill makes descriptors of what the caller has created.
template <class F> static void fill(void *values, int64_t n, int type, F set)
{
	for (int64_t i = 0; i < n; i++) {
		descriptor &d = living(static_cast<void **>(values)[i], type);
		if (d.finalized)
			die("what is finalized is to be filled", type);
		set(d, i);
		d.finalized = true;
	}
}

static int run_plan(descriptor &p, void *plan, void *s, const places &at, void *workspace)
{
	const engine e = p.chosen;
	const convolution c = p.conv;
	if (e.workspace > 0 && !inside((devptr)(uintptr_t)workspace, e.workspace))
		return refuse(BAD_PARAM, "the workspace is too small");
	if (!reachable(c, at))
		return refuse(BAD_PARAM, "a tensor is not in device memory, or not aligned");
	if (e.name == "late")
		return refuse(EXECUTION_FAILED, "late failure");
	if (e.name == "uncaptured" && static_cast<stream *>(s)->captured != nullptr) {
		static_cast<stream *>(s)->broken = true;
		return refuse(EXECUTION_FAILED, "the stream is captured");
	}
	return put(s, [=] {
		finalized(plan, RG_EXECUTION_PLAN); // lives as long as it is run
		elapsed += e.cost;
		if (!reachable(c, at))
			die("memory was freed before it was used");
		if (e.workspace > 0)
			memset(workspace, 0xff, std::min<int64_t>(e.workspace, 1 << 20)); // what others left there
		if (++launches > long(number("EMULATED_LOSS", 1 << 30)))
			lost = true;
		else
			compute(c, at, e.name == "remembers");
	}) == SUCCESS ? int(SUCCESS) : refuse(EXECUTION_FAILED, "the stream takes nothing");
}

extern "C" {
size_t cudnnGetVersion() { return 91000; }
const char *cudnnGetErrorString(int status)
{
	switch (status / 1000) {
	case 2:
		return "CUDNN_STATUS_BAD_PARAM";
	case 3:
		return "CUDNN_STATUS_NOT_SUPPORTED";
	case 4:
		return "CUDNN_STATUS_INTERNAL_ERROR";
	}
	return "CUDNN_STATUS_EXECUTION_FAILED";
}
void cudnnGetLastErrorString(char *text, size_t size)
{
	if (size > 0)
		text[said.copy(text, size - 1)] = 0;
	said.clear();
}
int cudnnCreate(void **handle)
{
	LOCKED;
	int there = 0;
	for (auto &d : descriptors)
		there += d.second.type == HANDLE;
	if (there >= long(number("EMULATED_HANDLES", 100)))
		return refuse(DEVICE_MEMORY, "no memory for a handle");
	return *handle = make(HANDLE), SUCCESS;
}
int cudnnDestroy(void *handle)
{
	LOCKED;
	for (auto &d : descriptors)
		if (d.second.type == RG_EXECUTION_PLAN && one<void *>(d.second, RG_PLAN_HANDLE) == handle)
			die("a handle ends before a plan that it made");
	return destroy(handle, HANDLE);
}
int cudnnSetStream(void *handle, void *s)
{
	LOCKED;
	return living(handle, HANDLE).stream = s, SUCCESS;
}

int cudnnBackendCreateDescriptor(int type, void **d)
{
	LOCKED;
	return rules.count(type) ? *d = make(type), SUCCESS : refuse(NOT_SUPPORTED, "a type of descriptor");
}
int cudnnBackendDestroyDescriptor(void *d)
{
	LOCKED;
	return destroy(d, -1);
}
int cudnnBackendSetAttribute(void *to, int name, int type, int64_t n, const void *values)
{
	LOCKED;
	descriptor &d = living(to, -1);
	if (d.finalized)
		return refuse(BAD_PARAM, "it is finalized already");
	for (auto &r : rules.at(d.type)) {
		if (r.name != name)
			continue;
		if (r.type != type)
			return refuse(ATTRIBUTE_TYPE, "an attribute's type");
		if (n < std::max(r.least, 1) || n > r.most || values == nullptr)
			return refuse(BAD_PARAM, "an attribute's number of values");
		auto *others = static_cast<void *const *>(values);
		for (int64_t i = 0; type == RG_TYPE_DESCRIPTOR && i < n; i++)
			finalized(others[i], r.of);
		if (type == RG_TYPE_HANDLE)
			living(others[0], HANDLE);
		auto *bytes = static_cast<const char *>(values);
		d.attributes[name] = {type, n, std::vector<char>(bytes, bytes + n * size_of(type))};
		return SUCCESS;
	}
	return refuse(BAD_PARAM, "not an attribute of it");
}
int cudnnBackendFinalize(void *of)
{
	descriptor *d, *handle = nullptr;
	{
		LOCKED;
		d = &living(of, -1);
		if (d->finalized)
			return refuse(BAD_PARAM, "it is finalized already");
		for (auto &a : d->attributes)
			if (a.second.type == RG_TYPE_HANDLE)
				handle = &living(one<void *>(*d, a.first), HANDLE);
		if (handle != nullptr && std::exchange(handle->busy, true))
			die("two threads use a handle at once");
	}
	if (handle != nullptr)
		usleep(20); // others may come
	LOCKED;
	if (handle != nullptr)
		handle->busy = false;
	int status = finalize(*d);
	d->finalized = status == SUCCESS;
	return status;
}
int cudnnBackendGetAttribute(void *of, int name, int type, int64_t room, int64_t *n, void *values)
{
	LOCKED;
	descriptor &d = finalized(of, -1);
	if (room < 0 || (room > 0 && values == nullptr))
		return refuse(BAD_PARAM, "no place for the values");
	auto give = [&](int own, int64_t count, auto set) {
		if (type != own)
			return refuse(ATTRIBUTE_TYPE, "an attribute's type");
		*n = count;
		set(std::min(room, count));
		return int(SUCCESS);
	};
	auto plain = [&](int own, auto v) {
		return give(own, 1, [&](int64_t m) { memcpy(values, &v, m * sizeof v); });
	};
	switch (d.type * 10000 + name) {
	case RG_HEURISTICS * 10000 + RG_ENGINEHEUR_RESULTS:
		// How many there are is told before all are looked at: then they are fewer.
		return give(RG_TYPE_DESCRIPTOR, d.proposed.size() + (room == 0 && !d.proposed.empty()), [&](int64_t m) {
			fill(values, m, RG_ENGINE_CONFIG, [&](descriptor &config, int64_t i) { config.chosen = d.proposed[i]; });
		});
	case RG_ENGINE_CONFIG * 10000 + RG_ENGINECFG_ENGINE:
		return give(RG_TYPE_DESCRIPTOR, 1, [&](int64_t m) {
			fill(values, m, RG_ENGINE, [&](descriptor &e, int64_t) { e.chosen = d.chosen; });
		});
	case RG_ENGINE_CONFIG * 10000 + RG_ENGINECFG_KNOB_CHOICES:
		return give(RG_TYPE_DESCRIPTOR, d.chosen.knobs.size(), [&](int64_t m) {
			fill(values, m, RG_KNOB_CHOICE, [&](descriptor &k, int64_t i) {
				auto knob = std::next(d.chosen.knobs.begin(), i);
				k.numbers = {knob->first, int(knob->second)};
			});
		});
	case RG_KNOB_CHOICE * 10000 + RG_KNOB_CHOICE_TYPE:
		return plain(RG_TYPE_KNOB_TYPE, d.numbers.at(0));
	case RG_KNOB_CHOICE * 10000 + RG_KNOB_CHOICE_VALUE:
		return plain(RG_TYPE_INT64, int64_t(d.numbers.at(1)));
	case RG_ENGINE * 10000 + RG_ENGINE_GLOBAL_INDEX:
		return plain(RG_TYPE_INT64, d.chosen.index);
	case RG_ENGINE * 10000 + RG_ENGINE_NUMERICAL_NOTE:
		return give(RG_TYPE_NUMERICAL_NOTE, d.chosen.notes.size(), [&](int64_t m) { memcpy(values, d.chosen.notes.data(), m * sizeof(int)); });
	case RG_EXECUTION_PLAN * 10000 + RG_PLAN_WORKSPACE_SIZE:
		return plain(RG_TYPE_INT64, d.chosen.workspace);
	}
	return refuse(BAD_PARAM, "not an attribute that can be read");
}
int cudnnBackendExecute(void *handle, void *plan, void *pack)
{
	LOCKED;
	descriptor &h = living(handle, HANDLE), &p = finalized(plan, RG_EXECUTION_PLAN), &v = finalized(pack, RG_VARIANT_PACK);
	// What the plan was made of lives as long as it.
	part(part(part(p, RG_PLAN_ENGINE_CONFIG, RG_ENGINE_CONFIG), RG_ENGINECFG_ENGINE, RG_ENGINE), RG_ENGINE_OPERATION_GRAPH, RG_OPERATION_GRAPH);
	if (h.busy)
		die("two threads use a handle at once");
	auto ids = all<int64_t>(v, RG_VARIANT_PACK_UNIQUE_IDS);
	auto pointers = all<void *>(v, RG_VARIANT_PACK_DATA_POINTERS);
	std::map<int64_t, void *> at;
	for (size_t i = 0; i < ids.size(); i++)
		if (!at.emplace(ids[i], pointers[i]).second)
			return refuse(BAD_PARAM, "an id is there twice");
	const convolution &c = p.conv;
	if (at.size() != size_t(3 + c.add + c.bias))
		return refuse(BAD_PARAM, "not the tensors of the graph");
	for (int64_t id : {c.x_id, c.w_id, c.y_id, c.add ? c.side_id : c.x_id, c.bias ? c.bias_id : c.x_id})
		if (at.count(id) == 0)
			return refuse(BAD_PARAM, "a tensor is missing");
	return run_plan(p, plan, h.stream, {(T *)at[c.x_id], (T *)at[c.w_id], (T *)at[c.side_id], at[c.bias_id], (T *)at[c.y_id]}, one<void *>(v, RG_VARIANT_PACK_WORKSPACE));
}

// The older interface. A descriptor that was set has numbers.
#define LEGACY(name, type) \
	int cudnnCreate##name##Descriptor(void **d) \
	{ \
		LOCKED; \
		return *d = make(type), SUCCESS; \
	} \
	int cudnnDestroy##name##Descriptor(void *d) \
	{ \
		LOCKED; \
		return destroy(d, type); \
	}
LEGACY(Tensor, LEGACY_TENSOR)
LEGACY(Filter, LEGACY_FILTER)
LEGACY(Convolution, LEGACY_CONVOLUTION)
LEGACY(Activation, LEGACY_ACTIVATION)

static int numbers(void *d, int type, std::vector<int> v)
{
	LOCKED;
	return living(d, type).numbers = v, SUCCESS;
}
int cudnnSetTensor4dDescriptor(void *d, int format, int type, int n, int c, int h, int w) { return numbers(d, LEGACY_TENSOR, {format, type, n, c, h, w}); }
int cudnnSetFilter4dDescriptor(void *d, int type, int format, int k, int c, int h, int w) { return numbers(d, LEGACY_FILTER, {format, type, k, c, h, w}); }
int cudnnSetConvolution2dDescriptor(void *d, int ph, int pw, int sh, int sw, int dh, int dw, int mode, int type)
{
	if (ph != pw || sh != sw || dh != dw || mode != RG_CROSS_CORRELATION || type != RG_FLOAT)
		return refuse(NOT_SUPPORTED, "kind of convolution");
	return numbers(d, LEGACY_CONVOLUTION, {ph, sh, dh, 1, RG_DEFAULT_MATH});
}
int cudnnSetConvolutionGroupCount(void *d, int groups) { return living(d, LEGACY_CONVOLUTION).numbers.at(3) = groups, SUCCESS; }
int cudnnSetConvolutionMathType(void *d, int math) { return living(d, LEGACY_CONVOLUTION).numbers.at(4) = math, SUCCESS; }
int cudnnSetActivationDescriptor(void *d, int mode, int nan, double) { return numbers(d, LEGACY_ACTIVATION, {mode, nan}); }

// legacy_shape is 0 in n if the descriptors do not fit together.
static convolution legacy_shape(void *x, void *w, void *conv, void *y)
{
	auto &xs = living(x, LEGACY_TENSOR).numbers, &ws = living(w, LEGACY_FILTER).numbers, &ys = living(y, LEGACY_TENSOR).numbers, &cs = living(conv, LEGACY_CONVOLUTION).numbers;
	convolution c = {xs.at(2), xs[4], xs[5], xs[3], ws.at(2), ws[4], ys.at(4), ys[5], cs.at(1), cs[2], cs[0], cs[3]};
	int reach = c.dilation * (c.r - 1) + 1 - 2 * c.pad;
	for (auto *v : {&xs, &ws, &ys})
		if ((*v)[0] != RG_NHWC || (*v)[1] != OWN_TYPE)
			c.n = 0;
	if (ws[5] != c.r || ws[3] * c.groups != c.c || c.k % c.groups != 0 || ys[2] != c.n || ys[3] != c.k || c.p != (c.h - reach) / c.stride + 1 || c.q != (c.w - reach) / c.stride + 1 ||
		(sizeof(T) == 4 && cs[4] == RG_TENSOR_OP_MATH))
		c.n = 0;
	return c;
}
int cudnnGetConvolutionForwardWorkspaceSize(void *handle, void *x, void *w, void *conv, void *y, int algorithm, size_t *size)
{
	LOCKED;
	living(handle, HANDLE);
	if (number("EMULATED_LEGACY", 50) == 0)
		return refuse(NOT_SUPPORTED, "switched off");
	return legacy_shape(x, w, conv, y).n == 0 || algorithm != RG_IMPLICIT_PRECOMP_GEMM ? refuse(BAD_PARAM, "the convolution") : (*size = 1024, SUCCESS);
}
int cudnnConvolutionBiasActivationForward(void *handle, const void *alpha1, void *x_desc, const void *x, void *w_desc, const void *w, void *conv, int algorithm, void *workspace, size_t size,
	const void *alpha2, void *z_desc, const void *z, void *bias_desc, const void *bias, void *activation, void *y_desc, void *y)
{
	LOCKED;
	convolution c = legacy_shape(x_desc, w_desc, conv, y_desc);
	auto &mode = living(activation, LEGACY_ACTIVATION).numbers;
	if (c.n == 0 || algorithm != RG_IMPLICIT_PRECOMP_GEMM || *(const float *)alpha1 != 1 || living(z_desc, LEGACY_TENSOR).numbers != living(y_desc, LEGACY_TENSOR).numbers ||
		living(bias_desc, LEGACY_TENSOR).numbers != std::vector<int>{RG_NHWC, OWN_TYPE, 1, c.k, 1, 1} || size < 1024 || !inside((devptr)(uintptr_t)workspace, size))
		return refuse(BAD_PARAM, "the convolution");
	c.add = c.bias = true;
	c.relu = mode.at(0) == RG_ACTIVATION_RELU;
	c.keep_nan = mode[1] == RG_PROPAGATE_NAN;
	c.weight = *(const float *)alpha2;
	places at = {(const T *)x, (const T *)w, (const T *)z, bias, (T *)y};
	if (!reachable(c, at))
		return refuse(BAD_PARAM, "a tensor is not in device memory, or not aligned");
	return put(living(handle, HANDLE).stream, [=] {
		elapsed += number("EMULATED_LEGACY", 50);
		memset(workspace, 0xff, size);
		compute(c, at, number("EMULATED_LEGACY_REMEMBERS", 0) != 0);
	}) == SUCCESS ? int(SUCCESS) : refuse(EXECUTION_FAILED, "the stream takes nothing");
}
}
