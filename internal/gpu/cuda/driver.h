//go:build cgo && unix

// The functions of CUDA's driver (libcuda.so.1) that this package calls, declared
// from the documentation of cuda.h. Names that end in _v2 are those to which cuda.h
// maps its functions since CUDA 4. CUDA 11.4 has all of them.
#ifndef REPVGG_GPU_DRIVER_H
#define REPVGG_GPU_DRIVER_H

#include "library.h"

#include <stddef.h>

typedef unsigned long long rg_devptr; // CUdeviceptr
typedef void *rg_object;              // CUcontext, CUstream, CUevent, CUmodule, CUfunction, CUgraph, CUgraphExec

enum { // CUdevice_attribute
	RG_CAPABILITY_MAJOR = 75,
	RG_CAPABILITY_MINOR = 76,
};
enum { RG_STREAM_NON_BLOCKING = 1 };                                  // CUstream_flags
enum { RG_EVENT_TIMING = 0, RG_EVENT_NO_TIMING = 2 };                 // CUevent_flags
enum { RG_HOST_PORTABLE = 1 };                                        // CU_MEMHOSTALLOC_PORTABLE
enum { RG_CAPTURE_THREAD = 1 };                                       // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

struct rg_driver {
	int (*init)(unsigned flags);
	int (*error_string)(int status, const char **text);
	int (*driver_version)(int *version);
	int (*device_count)(int *count);
	int (*device_get)(int *device, int ordinal);
	int (*device_name)(char *name, int size, int device);
	int (*device_attribute)(int *value, int attribute, int device);
	int (*context_retain)(rg_object *context, int device);
	int (*context_release)(int device);
	int (*context_set)(rg_object context);
	int (*mem_info)(size_t *free, size_t *total);
	int (*mem_alloc)(rg_devptr *p, size_t size);
	int (*mem_free)(rg_devptr p);
	int (*host_alloc)(void **p, size_t size, unsigned flags);
	int (*host_free)(void *p);
	int (*to_device)(rg_devptr dst, const void *src, size_t size, rg_object stream);
	int (*to_host)(void *dst, rg_devptr src, size_t size, rg_object stream);
	int (*set_bytes)(rg_devptr dst, unsigned char value, size_t size, rg_object stream);
	int (*stream_create)(rg_object *stream, unsigned flags);
	int (*stream_destroy)(rg_object stream);
	int (*stream_wait)(rg_object stream, rg_object event, unsigned flags);
	int (*stream_synchronize)(rg_object stream);
	int (*capture_begin)(rg_object stream, int mode);
	int (*capture_end)(rg_object stream, rg_object *graph);
	int (*graph_instantiate)(rg_object *exec, rg_object graph, unsigned long long flags);
	int (*graph_launch)(rg_object exec, rg_object stream);
	int (*graph_exec_destroy)(rg_object exec);
	int (*graph_destroy)(rg_object graph);
	int (*event_create)(rg_object *event, unsigned flags);
	int (*event_destroy)(rg_object event);
	int (*event_record)(rg_object event, rg_object stream);
	int (*event_synchronize)(rg_object event);
	int (*event_elapsed)(float *milliseconds, rg_object start, rg_object end);
	int (*module_load)(rg_object *module, const void *image);
	int (*module_unload)(rg_object module);
	int (*module_function)(rg_object *function, rg_object module, const char *name);
	int (*launch)(rg_object function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
	              unsigned shared, rg_object stream, void **arguments, void **extra);
};

// rg_driver_open fills d from the library name; see rg_open.
int rg_driver_open(const char *name, struct rg_driver *d, char *message);

// Go can't call through function pointers. These functions do.
int rg_init(const struct rg_driver *d);
const char *rg_error_string(const struct rg_driver *d, int status);
int rg_driver_version(const struct rg_driver *d, int *version);
int rg_device_count(const struct rg_driver *d, int *count);
int rg_device_get(const struct rg_driver *d, int *device, int ordinal);
int rg_device_name(const struct rg_driver *d, char *name, int size, int device);
int rg_device_attribute(const struct rg_driver *d, int *value, int attribute, int device);
int rg_context_retain(const struct rg_driver *d, rg_object *context, int device);
int rg_context_release(const struct rg_driver *d, int device);
int rg_context_set(const struct rg_driver *d, rg_object context);
int rg_mem_info(const struct rg_driver *d, size_t *free, size_t *total);
int rg_mem_alloc(const struct rg_driver *d, rg_devptr *p, size_t size);
int rg_mem_free(const struct rg_driver *d, rg_devptr p);
int rg_host_alloc(const struct rg_driver *d, void **p, size_t size);
int rg_host_free(const struct rg_driver *d, void *p);
int rg_to_device(const struct rg_driver *d, rg_devptr dst, const void *src, size_t size, rg_object stream);
int rg_to_host(const struct rg_driver *d, void *dst, rg_devptr src, size_t size, rg_object stream);
int rg_set_bytes(const struct rg_driver *d, rg_devptr dst, unsigned char value, size_t size, rg_object stream);
int rg_stream_create(const struct rg_driver *d, rg_object *stream);
int rg_stream_destroy(const struct rg_driver *d, rg_object stream);
int rg_stream_wait(const struct rg_driver *d, rg_object stream, rg_object event);
int rg_stream_synchronize(const struct rg_driver *d, rg_object stream);
int rg_capture_begin(const struct rg_driver *d, rg_object stream);
int rg_capture_end(const struct rg_driver *d, rg_object stream, rg_object *graph);
int rg_graph_instantiate(const struct rg_driver *d, rg_object *exec, rg_object graph);
int rg_graph_launch(const struct rg_driver *d, rg_object exec, rg_object stream);
int rg_graph_exec_destroy(const struct rg_driver *d, rg_object exec);
int rg_graph_destroy(const struct rg_driver *d, rg_object graph);
int rg_event_create(const struct rg_driver *d, rg_object *event, unsigned flags);
int rg_event_destroy(const struct rg_driver *d, rg_object event);
int rg_event_record(const struct rg_driver *d, rg_object event, rg_object stream);
int rg_event_synchronize(const struct rg_driver *d, rg_object event);
int rg_event_elapsed(const struct rg_driver *d, float *milliseconds, rg_object start, rg_object end);
int rg_module_load(const struct rg_driver *d, rg_object *module, const void *image);
int rg_module_unload(const struct rg_driver *d, rg_object module);
int rg_module_function(const struct rg_driver *d, rg_object *function, rg_object module, const char *name);

// rg_launch queues a kernel. values are its n arguments, each of at most 8 bytes in
// a word of its own.
enum { RG_MAX_ARGUMENTS = 24 };
int rg_launch(const struct rg_driver *d, rg_object function, const unsigned grid[3], const unsigned block[3], rg_object stream,
              const unsigned long long *values, int n);

#endif
