//go:build cgo && unix

#include "nvrtc.h"

static const struct rg_symbol symbols[] = {
	RG_SYMBOL(rg_nvrtc, error_string, "nvrtcGetErrorString"),
	RG_SYMBOL(rg_nvrtc, version, "nvrtcVersion"),
	RG_SYMBOL(rg_nvrtc, create, "nvrtcCreateProgram"),
	RG_SYMBOL(rg_nvrtc, destroy, "nvrtcDestroyProgram"),
	RG_SYMBOL(rg_nvrtc, compile, "nvrtcCompileProgram"),
	RG_SYMBOL(rg_nvrtc, log_size, "nvrtcGetProgramLogSize"),
	RG_SYMBOL(rg_nvrtc, log, "nvrtcGetProgramLog"),
	RG_SYMBOL(rg_nvrtc, cubin_size, "nvrtcGetCUBINSize"),
	RG_SYMBOL(rg_nvrtc, cubin, "nvrtcGetCUBIN"),
};

int rg_nvrtc_open(const char *name, struct rg_nvrtc *r, char *message)
{
	return rg_open(name, symbols, sizeof symbols / sizeof symbols[0], r, message);
}

const char *rg_nvrtc_error(const struct rg_nvrtc *r, int status) { return r->error_string(status); }
int rg_nvrtc_version(const struct rg_nvrtc *r, int *major, int *minor) { return r->version(major, minor); }
int rg_nvrtc_create(const struct rg_nvrtc *r, void **program, const char *source, const char *name)
{
	return r->create(program, source, name, 0, NULL, NULL);
}
int rg_nvrtc_destroy(const struct rg_nvrtc *r, void *program) { return r->destroy(&program); }
int rg_nvrtc_compile(const struct rg_nvrtc *r, void *program, int n, const char *const *options)
{
	return r->compile(program, n, options);
}
int rg_nvrtc_log_size(const struct rg_nvrtc *r, void *program, size_t *size) { return r->log_size(program, size); }
int rg_nvrtc_log(const struct rg_nvrtc *r, void *program, char *text) { return r->log(program, text); }
int rg_nvrtc_cubin_size(const struct rg_nvrtc *r, void *program, size_t *size) { return r->cubin_size(program, size); }
int rg_nvrtc_cubin(const struct rg_nvrtc *r, void *program, char *image) { return r->cubin(program, image); }
