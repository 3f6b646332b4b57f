//go:build cgo && unix

// The functions of NVRTC (libnvrtc.so.12, .13) that this package calls, declared from
// the documentation of nvrtc.h. CUDA 11.1 and later have all of them.
#ifndef REPVGG_GPU_NVRTC_H
#define REPVGG_GPU_NVRTC_H

#include "library.h"

struct rg_nvrtc {
	const char *(*error_string)(int status);
	int (*version)(int *major, int *minor);
	int (*create)(void **program, const char *source, const char *name, int headers, const char *const *texts, const char *const *names);
	int (*destroy)(void **program);
	int (*compile)(void *program, int n, const char *const *options);
	int (*log_size)(void *program, size_t *size);
	int (*log)(void *program, char *text);
	int (*cubin_size)(void *program, size_t *size);
	int (*cubin)(void *program, char *image);
};

// rg_nvrtc_open fills r from the library name; see rg_open.
int rg_nvrtc_open(const char *name, struct rg_nvrtc *r, char *message);

const char *rg_nvrtc_error(const struct rg_nvrtc *r, int status);
int rg_nvrtc_version(const struct rg_nvrtc *r, int *major, int *minor);
int rg_nvrtc_create(const struct rg_nvrtc *r, void **program, const char *source, const char *name);
int rg_nvrtc_destroy(const struct rg_nvrtc *r, void *program);
int rg_nvrtc_compile(const struct rg_nvrtc *r, void *program, int n, const char *const *options);
int rg_nvrtc_log_size(const struct rg_nvrtc *r, void *program, size_t *size);
int rg_nvrtc_log(const struct rg_nvrtc *r, void *program, char *text);
int rg_nvrtc_cubin_size(const struct rg_nvrtc *r, void *program, size_t *size);
int rg_nvrtc_cubin(const struct rg_nvrtc *r, void *program, char *image);

#endif
