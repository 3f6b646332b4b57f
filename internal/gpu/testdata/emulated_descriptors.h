// Part of emulated_cudnn.h: the store of descriptors and handles, and the rules for
// their attributes.
#pragma once

// Descriptors, also those of the older interface, and handles. An address is never
// used twice, and there is no memory behind it.

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
	// Which of these are used depends on the type.
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
// living is a descriptor of a type, or of any type (-1), that was not destroyed.
static descriptor &living(const void *d, int type)
{
	auto found = descriptors.find(const_cast<void *>(d));
	if (found == descriptors.end())
		die("a descriptor is used that was destroyed or never made", type);
	if (type >= 0 && found->second.type != type)
		die("a descriptor of another type is used", type);
	return found->second;
}
static descriptor &finalized(const void *d, int type)
{
	descriptor &found = living(d, type);
	if (!found.finalized)
		die("a descriptor is used that is not finalized", type);
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

// The attributes that can be set: from least to most values, where least 0 makes the
// attribute optional. of is the type of the descriptors that the values refer to.
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
