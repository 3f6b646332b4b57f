// Part of emulated_cudnn.h: the functions of handles and of the graph interface.
#pragma once

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
		text[last_error.copy(text, size - 1)] = 0;
	last_error.clear();
}
int cudnnCreate(void **handle)
{
	LOCKED;
	int handles = 0;
	for (auto &d : descriptors)
		handles += d.second.type == HANDLE;
	if (handles >= long(number("EMULATED_HANDLES", 100)))
		return refuse(DEVICE_MEMORY, "no memory for a handle");
	return *handle = make(HANDLE), SUCCESS;
}
int cudnnDestroy(void *handle)
{
	LOCKED;
	for (auto &d : descriptors)
		if (d.second.type == RG_EXECUTION_PLAN && one<void *>(d.second, RG_PLAN_HANDLE) == handle)
			die("a handle is destroyed before a plan that it made");
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
		usleep(20); // time for another thread to use it
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
		// Without room the count is an estimate, one more than there are.
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
	// What the plan was made of must still live.
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
}
