//go:build cgo && unix

#include "driver.h"

static const struct rg_symbol symbols[] = {
	RG_SYMBOL(rg_driver, init, "cuInit"),
	RG_SYMBOL(rg_driver, error_string, "cuGetErrorString"),
	RG_SYMBOL(rg_driver, driver_version, "cuDriverGetVersion"),
	RG_SYMBOL(rg_driver, device_count, "cuDeviceGetCount"),
	RG_SYMBOL(rg_driver, device_get, "cuDeviceGet"),
	RG_SYMBOL(rg_driver, device_name, "cuDeviceGetName"),
	RG_SYMBOL(rg_driver, device_attribute, "cuDeviceGetAttribute"),
	RG_SYMBOL(rg_driver, context_retain, "cuDevicePrimaryCtxRetain"),
	RG_SYMBOL(rg_driver, context_release, "cuDevicePrimaryCtxRelease_v2"),
	RG_SYMBOL(rg_driver, context_set, "cuCtxSetCurrent"),
	RG_SYMBOL(rg_driver, mem_info, "cuMemGetInfo_v2"),
	RG_SYMBOL(rg_driver, mem_alloc, "cuMemAlloc_v2"),
	RG_SYMBOL(rg_driver, mem_free, "cuMemFree_v2"),
	RG_SYMBOL(rg_driver, host_alloc, "cuMemHostAlloc"),
	RG_SYMBOL(rg_driver, host_free, "cuMemFreeHost"),
	RG_SYMBOL(rg_driver, to_device, "cuMemcpyHtoDAsync_v2"),
	RG_SYMBOL(rg_driver, to_host, "cuMemcpyDtoHAsync_v2"),
	RG_SYMBOL(rg_driver, set_bytes, "cuMemsetD8Async"),
	RG_SYMBOL(rg_driver, stream_create, "cuStreamCreate"),
	RG_SYMBOL(rg_driver, stream_destroy, "cuStreamDestroy_v2"),
	RG_SYMBOL(rg_driver, stream_wait, "cuStreamWaitEvent"),
	RG_SYMBOL(rg_driver, stream_synchronize, "cuStreamSynchronize"),
	RG_SYMBOL(rg_driver, capture_begin, "cuStreamBeginCapture_v2"),
	RG_SYMBOL(rg_driver, capture_end, "cuStreamEndCapture"),
	RG_SYMBOL(rg_driver, graph_instantiate, "cuGraphInstantiateWithFlags"),
	RG_SYMBOL(rg_driver, graph_launch, "cuGraphLaunch"),
	RG_SYMBOL(rg_driver, graph_exec_destroy, "cuGraphExecDestroy"),
	RG_SYMBOL(rg_driver, graph_destroy, "cuGraphDestroy"),
	RG_SYMBOL(rg_driver, event_create, "cuEventCreate"),
	RG_SYMBOL(rg_driver, event_destroy, "cuEventDestroy_v2"),
	RG_SYMBOL(rg_driver, event_record, "cuEventRecord"),
	RG_SYMBOL(rg_driver, event_synchronize, "cuEventSynchronize"),
	RG_SYMBOL(rg_driver, event_elapsed, "cuEventElapsedTime"),
	RG_SYMBOL(rg_driver, module_load, "cuModuleLoadData"),
	RG_SYMBOL(rg_driver, module_unload, "cuModuleUnload"),
	RG_SYMBOL(rg_driver, module_function, "cuModuleGetFunction"),
	RG_SYMBOL(rg_driver, launch, "cuLaunchKernel"),
};

int rg_driver_open(const char *name, struct rg_driver *d, char *message)
{
	return rg_open(name, symbols, sizeof symbols / sizeof symbols[0], d, message);
}

const char *rg_error_string(const struct rg_driver *d, int status)
{
	const char *text = NULL;
	d->error_string(status, &text);
	return text;
}

int rg_init(const struct rg_driver *d) { return d->init(0); }
int rg_driver_version(const struct rg_driver *d, int *version) { return d->driver_version(version); }
int rg_device_count(const struct rg_driver *d, int *count) { return d->device_count(count); }
int rg_device_get(const struct rg_driver *d, int *device, int ordinal) { return d->device_get(device, ordinal); }
int rg_device_name(const struct rg_driver *d, char *name, int size, int device) { return d->device_name(name, size, device); }
int rg_device_attribute(const struct rg_driver *d, int *value, int attribute, int device)
{
	return d->device_attribute(value, attribute, device);
}
int rg_context_retain(const struct rg_driver *d, rg_object *context, int device) { return d->context_retain(context, device); }
int rg_context_release(const struct rg_driver *d, int device) { return d->context_release(device); }
int rg_context_set(const struct rg_driver *d, rg_object context) { return d->context_set(context); }
int rg_mem_info(const struct rg_driver *d, size_t *free, size_t *total) { return d->mem_info(free, total); }
int rg_mem_alloc(const struct rg_driver *d, rg_devptr *p, size_t size) { return d->mem_alloc(p, size); }
int rg_mem_free(const struct rg_driver *d, rg_devptr p) { return d->mem_free(p); }
int rg_host_alloc(const struct rg_driver *d, void **p, size_t size) { return d->host_alloc(p, size, RG_HOST_PORTABLE); }
int rg_host_free(const struct rg_driver *d, void *p) { return d->host_free(p); }
int rg_to_device(const struct rg_driver *d, rg_devptr dst, const void *src, size_t size, rg_object stream)
{
	return d->to_device(dst, src, size, stream);
}
int rg_to_host(const struct rg_driver *d, void *dst, rg_devptr src, size_t size, rg_object stream)
{
	return d->to_host(dst, src, size, stream);
}
int rg_set_bytes(const struct rg_driver *d, rg_devptr dst, unsigned char value, size_t size, rg_object stream)
{
	return d->set_bytes(dst, value, size, stream);
}
int rg_stream_create(const struct rg_driver *d, rg_object *stream) { return d->stream_create(stream, RG_STREAM_NON_BLOCKING); }
int rg_stream_destroy(const struct rg_driver *d, rg_object stream) { return d->stream_destroy(stream); }
int rg_stream_wait(const struct rg_driver *d, rg_object stream, rg_object event) { return d->stream_wait(stream, event, 0); }
int rg_stream_synchronize(const struct rg_driver *d, rg_object stream) { return d->stream_synchronize(stream); }
int rg_capture_begin(const struct rg_driver *d, rg_object stream) { return d->capture_begin(stream, RG_CAPTURE_THREAD); }
int rg_capture_end(const struct rg_driver *d, rg_object stream, rg_object *graph) { return d->capture_end(stream, graph); }
int rg_graph_instantiate(const struct rg_driver *d, rg_object *exec, rg_object graph) { return d->graph_instantiate(exec, graph, 0); }
int rg_graph_launch(const struct rg_driver *d, rg_object exec, rg_object stream) { return d->graph_launch(exec, stream); }
int rg_graph_exec_destroy(const struct rg_driver *d, rg_object exec) { return d->graph_exec_destroy(exec); }
int rg_graph_destroy(const struct rg_driver *d, rg_object graph) { return d->graph_destroy(graph); }
int rg_event_create(const struct rg_driver *d, rg_object *event, unsigned flags) { return d->event_create(event, flags); }
int rg_event_destroy(const struct rg_driver *d, rg_object event) { return d->event_destroy(event); }
int rg_event_record(const struct rg_driver *d, rg_object event, rg_object stream) { return d->event_record(event, stream); }
int rg_event_synchronize(const struct rg_driver *d, rg_object event) { return d->event_synchronize(event); }
int rg_event_elapsed(const struct rg_driver *d, float *milliseconds, rg_object start, rg_object end)
{
	return d->event_elapsed(milliseconds, start, end);
}
int rg_module_load(const struct rg_driver *d, rg_object *module, const void *image) { return d->module_load(module, image); }
int rg_module_unload(const struct rg_driver *d, rg_object module) { return d->module_unload(module); }
int rg_module_function(const struct rg_driver *d, rg_object *function, rg_object module, const char *name)
{
	return d->module_function(function, module, name);
}

int rg_launch(const struct rg_driver *d, rg_object function, const unsigned grid[3], const unsigned block[3], rg_object stream,
              const unsigned long long *values, int n)
{
	// The driver reads as many bytes of each word as the parameter has. CUDA's hosts
	// are little-endian, so these are the low bytes.
	void *arguments[RG_MAX_ARGUMENTS];
	if (n > RG_MAX_ARGUMENTS)
		return 1; // CUDA_ERROR_INVALID_VALUE
	for (int i = 0; i < n; i++)
		arguments[i] = (void *)&values[i];
	return d->launch(function, grid[0], grid[1], grid[2], block[0], block[1], block[2], 0, stream, arguments, NULL);
}
