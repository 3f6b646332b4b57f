// Part of emulated_cudnn.h: the older interface, in which a convolution is one call.
#pragma once

extern "C" {
// A descriptor that was set has numbers.
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

// legacy_shape has 0 for n if the descriptors do not fit together.
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
		compute(c, at, number("EMULATED_LEGACY_DEPENDENT", 0) != 0);
	}) == SUCCESS ? int(SUCCESS) : refuse(EXECUTION_FAILED, "the stream takes nothing");
}
}
