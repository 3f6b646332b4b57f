// Part of emulated_cudnn.h: what finalizing a descriptor checks and makes, and running
// a plan.
#pragma once

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

// is reports whether a tensor has a type and dimensions.
static bool is(const descriptor &d, int type, bool is_virtual, std::vector<int64_t> dims)
{
	return one<int>(d, RG_TENSOR_DATA_TYPE) == type && one<char>(d, RG_TENSOR_IS_VIRTUAL) == is_virtual && all<int64_t>(d, RG_TENSOR_DIMENSIONS) == dims;
}

// understand reads a graph of the one pattern.
static int understand(descriptor &graph)
{
	auto operations = all<void *>(graph, RG_OPERATIONGRAPH_OPS);
	convolution c;
	std::vector<int64_t> result; // dimensions
	std::map<int64_t, void *> ids;
	void *last = nullptr;
	// use is a tensor of an operation. Two tensors must not have one id.
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
	// Odd numbers of channels in 16 bits are only for the fallback.
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

// plan stands for the compilation of an engine.
static int plan(descriptor &d)
{
	descriptor &config = part(d, RG_PLAN_ENGINE_CONFIG, RG_ENGINE_CONFIG);
	d.chosen = config.chosen;
	d.conv = part(part(config, RG_ENGINECFG_ENGINE, RG_ENGINE), RG_ENGINE_OPERATION_GRAPH, RG_OPERATION_GRAPH).conv;
	if (d.conv.bias && !d.conv.bias_float)
		d.chosen.cost *= 0.9;
	if (d.conv.weight == 0)
		d.chosen.cost *= 0.8;
	else if (d.chosen.name == "dependent")
		d.chosen.cost = 100; // it must not win for other graphs, where it is right
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

// fill fills descriptors that the caller has created.
template <class F> static void fill(void *values, int64_t n, int type, F set)
{
	for (int64_t i = 0; i < n; i++) {
		descriptor &d = living(static_cast<void **>(values)[i], type);
		if (d.finalized)
			die("a finalized descriptor is filled", type);
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
		finalized(plan, RG_EXECUTION_PLAN); // it must live until it has run
		elapsed += e.cost;
		if (!reachable(c, at))
			die("memory was freed before it was used");
		if (e.workspace > 0)
			memset(workspace, 0xff, std::min<int64_t>(e.workspace, 1 << 20)); // the old contents
		if (++launches > long(number("EMULATED_LOSS", 1 << 30)))
			lost = true;
		else
			compute(c, at, e.name == "dependent");
	}) == SUCCESS ? int(SUCCESS) : refuse(EXECUTION_FAILED, "the stream takes nothing");
}
