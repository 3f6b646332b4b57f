//go:build cgo && unix

#include "cudnn.h"

static const struct rg_symbol symbols[] = {
	RG_SYMBOL(rg_cudnn, version, "cudnnGetVersion"),
	RG_SYMBOL(rg_cudnn, error_string, "cudnnGetErrorString"),
	RG_SYMBOL(rg_cudnn, last_error, "cudnnGetLastErrorString"), // since 9.0: an older cuDNN fails here
	RG_SYMBOL(rg_cudnn, create, "cudnnCreate"),
	RG_SYMBOL(rg_cudnn, destroy, "cudnnDestroy"),
	RG_SYMBOL(rg_cudnn, set_stream, "cudnnSetStream"),
	RG_SYMBOL(rg_cudnn, backend_create, "cudnnBackendCreateDescriptor"),
	RG_SYMBOL(rg_cudnn, backend_destroy, "cudnnBackendDestroyDescriptor"),
	RG_SYMBOL(rg_cudnn, backend_finalize, "cudnnBackendFinalize"),
	RG_SYMBOL(rg_cudnn, backend_set, "cudnnBackendSetAttribute"),
	RG_SYMBOL(rg_cudnn, backend_get, "cudnnBackendGetAttribute"),
	RG_SYMBOL(rg_cudnn, backend_execute, "cudnnBackendExecute"),
	RG_SYMBOL(rg_cudnn, tensor_create, "cudnnCreateTensorDescriptor"),
	RG_SYMBOL(rg_cudnn, tensor_destroy, "cudnnDestroyTensorDescriptor"),
	RG_SYMBOL(rg_cudnn, tensor_set, "cudnnSetTensor4dDescriptor"),
	RG_SYMBOL(rg_cudnn, filter_create, "cudnnCreateFilterDescriptor"),
	RG_SYMBOL(rg_cudnn, filter_destroy, "cudnnDestroyFilterDescriptor"),
	RG_SYMBOL(rg_cudnn, filter_set, "cudnnSetFilter4dDescriptor"),
	RG_SYMBOL(rg_cudnn, conv_create, "cudnnCreateConvolutionDescriptor"),
	RG_SYMBOL(rg_cudnn, conv_destroy, "cudnnDestroyConvolutionDescriptor"),
	RG_SYMBOL(rg_cudnn, conv_set, "cudnnSetConvolution2dDescriptor"),
	RG_SYMBOL(rg_cudnn, conv_groups, "cudnnSetConvolutionGroupCount"),
	RG_SYMBOL(rg_cudnn, conv_math, "cudnnSetConvolutionMathType"),
	RG_SYMBOL(rg_cudnn, activation_create, "cudnnCreateActivationDescriptor"),
	RG_SYMBOL(rg_cudnn, activation_destroy, "cudnnDestroyActivationDescriptor"),
	RG_SYMBOL(rg_cudnn, activation_set, "cudnnSetActivationDescriptor"),
	RG_SYMBOL(rg_cudnn, workspace, "cudnnGetConvolutionForwardWorkspaceSize"),
	RG_SYMBOL(rg_cudnn, fused, "cudnnConvolutionBiasActivationForward"),
};

int rg_cudnn_open(const char *name, struct rg_cudnn *c, char *message)
{
	return rg_open(name, symbols, sizeof symbols / sizeof symbols[0], c, message);
}

size_t rg_cudnn_version(const struct rg_cudnn *c) { return c->version(); }
const char *rg_cudnn_error(const struct rg_cudnn *c, int status) { return c->error_string(status); }
void rg_cudnn_last_error(const struct rg_cudnn *c, char *text, size_t size) { c->last_error(text, size); }
int rg_cudnn_create(const struct rg_cudnn *c, void **handle) { return c->create(handle); }
int rg_cudnn_destroy(const struct rg_cudnn *c, void *handle) { return c->destroy(handle); }
int rg_cudnn_set_stream(const struct rg_cudnn *c, void *handle, void *stream) { return c->set_stream(handle, stream); }
int rg_backend_create(const struct rg_cudnn *c, int type, void **descriptor) { return c->backend_create(type, descriptor); }
int rg_backend_destroy(const struct rg_cudnn *c, void *descriptor) { return c->backend_destroy(descriptor); }
int rg_backend_finalize(const struct rg_cudnn *c, void *descriptor) { return c->backend_finalize(descriptor); }
int rg_backend_set(const struct rg_cudnn *c, void *descriptor, int name, int type, int64_t n, const void *values)
{
	return c->backend_set(descriptor, name, type, n, values);
}
int rg_backend_get(const struct rg_cudnn *c, void *descriptor, int name, int type, int64_t room, int64_t *n, void *values)
{
	return c->backend_get(descriptor, name, type, room, n, values);
}
int rg_backend_execute(const struct rg_cudnn *c, void *handle, void *plan, void *pack) { return c->backend_execute(handle, plan, pack); }

#define TRY(name, ...) \
	do { \
		int status = (__VA_ARGS__); \
		if (status != 0) { \
			*call = name; \
			return status; \
		} \
	} while (0)

int rg_legacy_create(const struct rg_cudnn *c, void *handle, const struct rg_legacy_shape *s, struct rg_legacy *l, const char **call)
{
	*l = (struct rg_legacy){0};
	TRY("cudnnCreateTensorDescriptor", c->tensor_create(&l->x));
	TRY("cudnnCreateTensorDescriptor", c->tensor_create(&l->y));
	TRY("cudnnCreateTensorDescriptor", c->tensor_create(&l->bias));
	TRY("cudnnCreateFilterDescriptor", c->filter_create(&l->w));
	TRY("cudnnCreateConvolutionDescriptor", c->conv_create(&l->conv));
	TRY("cudnnCreateActivationDescriptor", c->activation_create(&l->activation));
	TRY("cudnnSetTensor4dDescriptor", c->tensor_set(l->x, RG_NHWC, s->type, s->n, s->c, s->h, s->w));
	TRY("cudnnSetTensor4dDescriptor", c->tensor_set(l->y, RG_NHWC, s->type, s->n, s->k, s->p, s->q));
	TRY("cudnnSetTensor4dDescriptor", c->tensor_set(l->bias, RG_NHWC, s->type, 1, s->k, 1, 1));
	TRY("cudnnSetFilter4dDescriptor", c->filter_set(l->w, s->type, RG_NHWC, s->k, s->c / s->groups, s->r, s->r));
	TRY("cudnnSetConvolution2dDescriptor", c->conv_set(l->conv, s->pad, s->pad, s->stride, s->stride, s->dilation, s->dilation, RG_CROSS_CORRELATION, RG_FLOAT));
	TRY("cudnnSetConvolutionGroupCount", c->conv_groups(l->conv, s->groups));
	TRY("cudnnSetConvolutionMathType", c->conv_math(l->conv, s->math));
	TRY("cudnnSetActivationDescriptor", c->activation_set(l->activation, s->relu ? RG_ACTIVATION_RELU : RG_ACTIVATION_IDENTITY, 1, 0));
	TRY("cudnnGetConvolutionForwardWorkspaceSize", c->workspace(handle, l->x, l->w, l->conv, l->y, RG_IMPLICIT_PRECOMP_GEMM, &l->workspace));
	return 0;
}

void rg_legacy_destroy(const struct rg_cudnn *c, struct rg_legacy *l)
{
	if (l->x != NULL)
		c->tensor_destroy(l->x);
	if (l->y != NULL)
		c->tensor_destroy(l->y);
	if (l->bias != NULL)
		c->tensor_destroy(l->bias);
	if (l->w != NULL)
		c->filter_destroy(l->w);
	if (l->conv != NULL)
		c->conv_destroy(l->conv);
	if (l->activation != NULL)
		c->activation_destroy(l->activation);
	*l = (struct rg_legacy){0};
}

int rg_legacy_run(const struct rg_cudnn *c, void *handle, const struct rg_legacy *l, unsigned long long x, unsigned long long w,
                  unsigned long long bias, unsigned long long z, unsigned long long y, unsigned long long workspace)
{
	const float one = 1, zero = 0;
	// Without z the call still wants a tensor of its shape.
	return c->fused(handle, &one, l->x, (const void *)(uintptr_t)x, l->w, (const void *)(uintptr_t)w, l->conv, RG_IMPLICIT_PRECOMP_GEMM,
	                (void *)(uintptr_t)workspace, l->workspace, z != 0 ? &one : &zero, l->y, (const void *)(uintptr_t)(z != 0 ? z : y),
	                l->bias, (const void *)(uintptr_t)bias, l->activation, l->y, (void *)(uintptr_t)y);
}
