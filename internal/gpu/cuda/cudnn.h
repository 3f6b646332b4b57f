//go:build cgo && unix

// The functions of cuDNN 9 (libcudnn.so.9) that this package calls, declared from the
// documentation of cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h. The values of the
// enumerations agree with bindings generated from the headers of cuDNN 8.x and 9.x;
// NVIDIA keeps them within a major version.
#ifndef REPVGG_GPU_CUDNN_H
#define REPVGG_GPU_CUDNN_H

#include "library.h"

#include <stdint.h>

enum { // cudnnDataType_t
	RG_FLOAT = 0,
	RG_HALF = 2,
	RG_BFLOAT16 = 9,
};
enum { // cudnnMathType_t
	RG_DEFAULT_MATH = 0,
	RG_TENSOR_OP_MATH = 1,
	RG_FMA_MATH = 3,
};
enum { RG_NHWC = 1 };                                        // cudnnTensorFormat_t
enum { RG_PROPAGATE_NAN = 1 };                               // cudnnNanPropagation_t
enum { RG_CROSS_CORRELATION = 1 };                           // cudnnConvolutionMode_t
enum { RG_ACTIVATION_RELU = 1, RG_ACTIVATION_IDENTITY = 5 }; // cudnnActivationMode_t
enum { RG_IMPLICIT_PRECOMP_GEMM = 1 };                       // cudnnConvolutionFwdAlgo_t: the only one that the fused call takes without ReLU

enum { // cudnnBackendDescriptorType_t
	RG_POINTWISE = 0,
	RG_CONVOLUTION = 1,
	RG_ENGINE = 2,
	RG_ENGINE_CONFIG = 3,
	RG_HEURISTICS = 4,
	RG_EXECUTION_PLAN = 5,
	RG_KNOB_CHOICE = 7,
	RG_OPERATION_CONVOLUTION = 10,
	RG_OPERATION_POINTWISE = 13,
	RG_OPERATION_GRAPH = 15,
	RG_VARIANT_PACK = 16,
	RG_TENSOR = 17,
};
enum { // cudnnBackendAttributeType_t
	RG_TYPE_HANDLE = 0,
	RG_TYPE_DATA_TYPE = 1,
	RG_TYPE_BOOLEAN = 2,
	RG_TYPE_INT64 = 3,
	RG_TYPE_FLOAT = 4,
	RG_TYPE_VOID_PTR = 6,
	RG_TYPE_CONVOLUTION_MODE = 7,
	RG_TYPE_HEUR_MODE = 8,
	RG_TYPE_KNOB_TYPE = 9,
	RG_TYPE_NAN_PROPAGATION = 10,
	RG_TYPE_NUMERICAL_NOTE = 11,
	RG_TYPE_POINTWISE_MODE = 14,
	RG_TYPE_DESCRIPTOR = 15,
};
enum { // cudnnBackendAttributeName_t
	RG_POINTWISE_MODE = 0,
	RG_POINTWISE_MATH_PREC = 1,
	RG_POINTWISE_NAN_PROPAGATION = 2,
	RG_CONVOLUTION_COMP_TYPE = 100,
	RG_CONVOLUTION_CONV_MODE = 101,
	RG_CONVOLUTION_DILATIONS = 102,
	RG_CONVOLUTION_FILTER_STRIDES = 103,
	RG_CONVOLUTION_POST_PADDINGS = 104,
	RG_CONVOLUTION_PRE_PADDINGS = 105,
	RG_CONVOLUTION_SPATIAL_DIMS = 106,
	RG_ENGINEHEUR_MODE = 200,
	RG_ENGINEHEUR_OPERATION_GRAPH = 201,
	RG_ENGINEHEUR_RESULTS = 202,
	RG_ENGINECFG_ENGINE = 300,
	RG_ENGINECFG_KNOB_CHOICES = 302,
	RG_PLAN_HANDLE = 400,
	RG_PLAN_ENGINE_CONFIG = 401,
	RG_PLAN_WORKSPACE_SIZE = 402,
	RG_KNOB_CHOICE_TYPE = 600,
	RG_KNOB_CHOICE_VALUE = 601,
	RG_CONV_FORWARD_ALPHA = 700,
	RG_CONV_FORWARD_BETA = 701,
	RG_CONV_FORWARD_CONV_DESC = 702,
	RG_CONV_FORWARD_W = 703,
	RG_CONV_FORWARD_X = 704,
	RG_CONV_FORWARD_Y = 705,
	RG_OPERATION_POINTWISE_DESC = 750,
	RG_OPERATION_POINTWISE_X = 751,
	RG_OPERATION_POINTWISE_B = 752,
	RG_OPERATION_POINTWISE_Y = 753,
	RG_OPERATION_POINTWISE_ALPHA1 = 754,
	RG_OPERATION_POINTWISE_ALPHA2 = 755,
	RG_OPERATIONGRAPH_HANDLE = 800,
	RG_OPERATIONGRAPH_OPS = 801,
	RG_TENSOR_BYTE_ALIGNMENT = 900,
	RG_TENSOR_DATA_TYPE = 901,
	RG_TENSOR_DIMENSIONS = 902,
	RG_TENSOR_STRIDES = 903,
	RG_TENSOR_UNIQUE_ID = 906,
	RG_TENSOR_IS_VIRTUAL = 907,
	RG_VARIANT_PACK_UNIQUE_IDS = 1000,
	RG_VARIANT_PACK_DATA_POINTERS = 1001,
	RG_VARIANT_PACK_WORKSPACE = 1003,
	RG_ENGINE_OPERATION_GRAPH = 1300,
	RG_ENGINE_GLOBAL_INDEX = 1301,
	RG_ENGINE_NUMERICAL_NOTE = 1303,
};
enum { // cudnnBackendHeurMode_t
	RG_HEUR_MODE_B = 1,
	RG_HEUR_MODE_FALLBACK = 2,
	RG_HEUR_MODE_A = 3,
};
enum { // cudnnPointwiseMode_t
	RG_POINTWISE_ADD = 0,
	RG_POINTWISE_RELU = 100,
};

struct rg_cudnn {
	size_t (*version)(void);
	const char *(*error_string)(int status);
	void (*last_error)(char *text, size_t size);
	int (*create)(void **handle);
	int (*destroy)(void *handle);
	int (*set_stream)(void *handle, void *stream);
	int (*backend_create)(int type, void **descriptor);
	int (*backend_destroy)(void *descriptor);
	int (*backend_finalize)(void *descriptor);
	int (*backend_set)(void *descriptor, int name, int type, int64_t n, const void *values);
	int (*backend_get)(void *descriptor, int name, int type, int64_t room, int64_t *n, void *values);
	int (*backend_execute)(void *handle, void *plan, void *pack);
	// The older interface.
	int (*tensor_create)(void **tensor);
	int (*tensor_destroy)(void *tensor);
	int (*tensor_set)(void *tensor, int format, int type, int n, int c, int h, int w);
	int (*filter_create)(void **filter);
	int (*filter_destroy)(void *filter);
	int (*filter_set)(void *filter, int type, int format, int k, int c, int h, int w);
	int (*conv_create)(void **conv);
	int (*conv_destroy)(void *conv);
	int (*conv_set)(void *conv, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h, int dilation_w, int mode, int type);
	int (*conv_groups)(void *conv, int groups);
	int (*conv_math)(void *conv, int math);
	int (*activation_create)(void **activation);
	int (*activation_destroy)(void *activation);
	int (*activation_set)(void *activation, int mode, int nan, double coefficient);
	int (*workspace)(void *handle, void *x, void *w, void *conv, void *y, int algorithm, size_t *size);
	int (*fused)(void *handle, const void *alpha1, void *x_desc, const void *x, void *w_desc, const void *w, void *conv, int algorithm,
	             void *workspace, size_t size, const void *alpha2, void *z_desc, const void *z, void *bias_desc, const void *bias,
	             void *activation, void *y_desc, void *y);
};

// rg_cudnn_open fills c from the library name; see rg_open.
int rg_cudnn_open(const char *name, struct rg_cudnn *c, char *message);

size_t rg_cudnn_version(const struct rg_cudnn *c);
const char *rg_cudnn_error(const struct rg_cudnn *c, int status);
void rg_cudnn_last_error(const struct rg_cudnn *c, char *text, size_t size);
int rg_cudnn_create(const struct rg_cudnn *c, void **handle);
int rg_cudnn_destroy(const struct rg_cudnn *c, void *handle);
int rg_cudnn_set_stream(const struct rg_cudnn *c, void *handle, void *stream);
int rg_backend_create(const struct rg_cudnn *c, int type, void **descriptor);
int rg_backend_destroy(const struct rg_cudnn *c, void *descriptor);
int rg_backend_finalize(const struct rg_cudnn *c, void *descriptor);
int rg_backend_set(const struct rg_cudnn *c, void *descriptor, int name, int type, int64_t n, const void *values);
int rg_backend_get(const struct rg_cudnn *c, void *descriptor, int name, int type, int64_t room, int64_t *n, void *values);
int rg_backend_execute(const struct rg_cudnn *c, void *handle, void *plan, void *pack);

// A convolution of the older interface, y = act(conv(x, w) + add*z + bias). All
// tensors are N, H, W, C; w is K, R, R, C/groups.
struct rg_legacy {
	void *x, *w, *y, *bias, *conv, *activation;
	size_t workspace;
};
struct rg_legacy_shape {
	int type, math;
	int n, c, h, w, k, p, q, r;
	int pad, stride, dilation, groups, relu;
};

// rg_legacy_create makes the descriptors. With a status other than 0, call names the
// function that failed. rg_legacy_destroy must be called in any case.
int rg_legacy_create(const struct rg_cudnn *c, void *handle, const struct rg_legacy_shape *s, struct rg_legacy *l, const char **call);
void rg_legacy_destroy(const struct rg_cudnn *c, struct rg_legacy *l);
// rg_legacy_run takes addresses of device memory; z is 0 if no tensor is added.
int rg_legacy_run(const struct rg_cudnn *c, void *handle, const struct rg_legacy *l, unsigned long long x, unsigned long long w,
                  unsigned long long bias, unsigned long long z, unsigned long long y, unsigned long long workspace);

#endif
