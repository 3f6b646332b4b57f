// The kernels for everything between the convolutions, and for convolutions that cuDNN
// refuses. NVRTC compiles them for the device, with REPVGG_FP16 or REPVGG_BF16 defined
// for those precisions. Feature maps are N, H, W, C. No header is included: the
// conversions are written out.

#if defined(REPVGG_FP16)
typedef unsigned short T;
enum { VECTOR = 8 };
#ifndef REPVGG_HOST
static __device__ inline float widen(T v)
{
	float f;
	asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(v));
	return f;
}
static __device__ inline T narrow(float f)
{
	T v;
	asm("cvt.rn.f16.f32 %0, %1;" : "=h"(v) : "f"(f));
	return v;
}
#endif
static __device__ inline bool finite(T v) { return (v & 0x7c00) != 0x7c00; }

#elif defined(REPVGG_BF16)
typedef unsigned short T;
enum { VECTOR = 8 };
static __device__ inline float widen(T v) { return __uint_as_float((unsigned)v << 16); }
static __device__ inline T narrow(float f) // to the nearest, ties to even
{
	unsigned b = __float_as_uint(f);
	if ((b & 0x7fffffff) > 0x7f800000)
		return (T)(b >> 16 | 0x40);
	return (T)((b + 0x7fff + (b >> 16 & 1)) >> 16);
}
static __device__ inline bool finite(T v) { return (v & 0x7f80) != 0x7f80; }

#else
typedef float T;
enum { VECTOR = 4 };
static __device__ inline float widen(T v) { return v; }
static __device__ inline T narrow(float f) { return f; }
static __device__ inline bool finite(T v) { return (__float_as_uint(v) & 0x7f800000) != 0x7f800000; }
#endif

// V values that are loaded and stored at once: 16 bytes, or a single value.
template <int V> struct alignas(V * sizeof(T)) Values {
	T v[V];
};

// V floats, loaded 16 bytes at once if there are as many.
template <int V> struct alignas(V % 4 == 0 ? 16 : 4) Floats {
	float v[V];
};

typedef long long index_t;

static __device__ inline index_t first() { return (index_t)blockIdx.x * blockDim.x + threadIdx.x; }
static __device__ inline index_t step() { return (index_t)gridDim.x * blockDim.x; }
// Not fmaxf, for which a NaN is less than 0.
static __device__ inline float relu(float f) { return f < 0 ? 0 : f; }

// fill stores the padded values of a pixel, which value gives in order: 16 bytes at
// once if they are a multiple of 16 bytes.
template <class F> static __device__ inline void fill(T *dst, int padded, F value)
{
	if (padded % VECTOR != 0) {
#pragma unroll 1
		for (int c = 0; c < padded; c++)
			dst[c] = narrow(value(c));
		return;
	}
#pragma unroll 1
	for (int c = 0; c < padded; c += VECTOR) {
		Values<VECTOR> x;
#pragma unroll
		for (int k = 0; k < VECTOR; k++)
			x.v[k] = narrow(value(c + k));
		*(Values<VECTOR> *)(dst + c) = x;
	}
}

// images_float turns normalised images N, C, H, W into N, H, W, padded.
extern "C" __global__ void images_float(T *dst, const float *src, index_t pixels, int area, int channels, int padded)
{
	for (index_t i = first(); i < pixels; i += step()) {
		index_t image = i / area, at = i % area;
		const float *from = src + image * channels * area + at;
		fill(dst + i * padded, padded, [&](int c) {
			float f = 0;
			if (c < channels) {
				f = *from;
				from += area;
			}
			return f;
		});
	}
}

// images_bytes normalises images N, H, W, C by a table of 256 values for each
// channel of the result. With reverse the channels of src are in the opposite order.
extern "C" __global__ void images_bytes(T *dst, const unsigned char *src, const float *table, index_t pixels, int channels, int padded, int reverse)
{
	for (index_t i = first(); i < pixels; i += step()) {
		const unsigned char *from = src + i * channels;
		fill(dst + i * padded, padded, [=](int c) { return c < channels ? table[c * 256 + from[reverse ? channels - 1 - c : c]] : 0.0f; });
	}
}

// maps_float turns maps N, H, W, padded into N, C, H, W of float.
extern "C" __global__ void maps_float(float *dst, const T *src, index_t values, int area, int channels, int padded)
{
	for (index_t i = first(); i < values; i += step()) {
		index_t at = i % area, c = i / area % channels, image = i / area / channels;
		dst[i] = widen(src[(image * area + at) * padded + c]);
	}
}

enum { POOL_X = 32, POOL_Y = 32 };

// pool averages the area pixels of an image (blockIdx.y) for POOL_X*V channels.
template <int V> static __device__ void pool(float *dst, const T *src, int area, int channels)
{
	__shared__ float sums[POOL_Y][POOL_X * V];
	int c = (blockIdx.x * POOL_X + threadIdx.x) * V;
	float sum[V];
	for (int k = 0; k < V; k++)
		sum[k] = 0;
	if (c < channels) {
		const T *map = src + (index_t)blockIdx.y * area * channels + c;
#pragma unroll 4
		for (int at = threadIdx.y; at < area; at += POOL_Y) {
			Values<V> x = *(const Values<V> *)(map + (index_t)at * channels);
			for (int k = 0; k < V; k++)
				sum[k] += widen(x.v[k]);
		}
	}
	for (int k = 0; k < V; k++)
		sums[threadIdx.y][k * POOL_X + threadIdx.x] = sum[k];
	for (unsigned half = POOL_Y / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.y < half)
			for (int k = 0; k < V; k++)
				sums[threadIdx.y][k * POOL_X + threadIdx.x] += sums[threadIdx.y + half][k * POOL_X + threadIdx.x];
	}
	if (threadIdx.y == 0 && c < channels)
		for (int k = 0; k < V; k++)
			dst[(index_t)blockIdx.y * channels + c + k] = sums[0][k * POOL_X + threadIdx.x] / area;
}
extern "C" __global__ void pool_vector(float *dst, const T *src, int area, int channels) { pool<VECTOR>(dst, src, area, channels); }
extern "C" __global__ void pool_scalar(float *dst, const T *src, int area, int channels) { pool<1>(dst, src, area, channels); }

enum { LINEAR_WARPS = 8, LINEAR_IMAGES = 8, LINEAR_ROWS = 4 };

// dot adds a lane's part of R rows of w times each of images vectors x to sum.
template <int R, int V> static __device__ inline void dot(float (*sum)[LINEAR_IMAGES], const float *w, const float *x, int rows, int images, int columns)
{
	for (int c = threadIdx.x * V; c < columns; c += 32 * V) {
		Floats<V> a[R];
#pragma unroll
		for (int r = 0; r < R; r++)
			a[r] = *(const Floats<V> *)(w + (index_t)(r < rows ? r : 0) * columns + c);
#pragma unroll
		for (int i = 0; i < LINEAR_IMAGES; i++) {
			if (i >= images)
				break;
			Floats<V> b = *(const Floats<V> *)(x + (index_t)i * columns + c);
#pragma unroll
			for (int r = 0; r < R; r++)
				for (int k = 0; k < V; k++)
					sum[r][i] += a[r].v[k] * b.v[k];
		}
	}
}

static __device__ inline float activate(float f, int activation)
{
	return activation == 1 ? relu(f) : activation == 2 ? 1 / (1 + expf(-f)) : f;
}

// linear is y = act(w x + b): a warp computes R rows of w for LINEAR_IMAGES
// vectors x, so that what it loads counts for several products. y has rows values
// for each vector, x has columns.
template <int R> static __device__ void linear(float *y, const float *x, const float *w, const float *b, int n, int rows, int columns, int activation)
{
	int row = (blockIdx.x * LINEAR_WARPS + threadIdx.y) * R, image = blockIdx.y * LINEAR_IMAGES;
	int images = n - image < LINEAR_IMAGES ? n - image : LINEAR_IMAGES;
	float sum[R][LINEAR_IMAGES];
	for (int r = 0; r < R; r++)
		for (int i = 0; i < LINEAR_IMAGES; i++)
			sum[r][i] = 0;
	if (row < rows) {
		w += (index_t)row * columns;
		x += (index_t)image * columns;
		if (columns % 4 == 0)
			dot<R, 4>(sum, w, x, rows - row, images, columns);
		else
			dot<R, 1>(sum, w, x, rows - row, images, columns);
	}
#pragma unroll
	for (int r = 0; r < R; r++)
#pragma unroll
		for (int i = 0; i < LINEAR_IMAGES; i++) {
			for (int lane = 16; lane > 0; lane /= 2)
				sum[r][i] += __shfl_xor_sync(0xffffffffu, sum[r][i], lane);
			if (threadIdx.x == 0 && row + r < rows && i < images)
				y[(index_t)(image + i) * rows + row + r] = activate(sum[r][i] + b[row + r], activation);
		}
}
extern "C" __global__ void linear_row(float *y, const float *x, const float *w, const float *b, int n, int rows, int columns, int activation)
{
	linear<1>(y, x, w, b, n, rows, columns, activation);
}
extern "C" __global__ void linear_rows(float *y, const float *x, const float *w, const float *b, int n, int rows, int columns, int activation)
{
	linear<LINEAR_ROWS>(y, x, w, b, n, rows, columns, activation);
}

// gate is y = relu(y * gates), with a gate for each image and channel.
template <int V> static __device__ void gate(T *y, const float *gates, index_t values, int perImage, int channels)
{
	for (index_t i = first() * V; i < values; i += step() * V) {
		Floats<V> g = *(const Floats<V> *)(gates + i / perImage * channels + i % channels);
		Values<V> *at = (Values<V> *)(y + i), x = *at;
		for (int k = 0; k < V; k++)
			x.v[k] = narrow(relu(widen(x.v[k]) * g.v[k]));
		*at = x;
	}
}
extern "C" __global__ void gate_vector(T *y, const float *gates, index_t values, int perImage, int channels) { gate<VECTOR>(y, gates, values, perImage, channels); }
extern "C" __global__ void gate_scalar(T *y, const float *gates, index_t values, int perImage, int channels) { gate<1>(y, gates, values, perImage, channels); }

// scale_add is y += scale * x, with a scale for each channel.
template <int V> static __device__ void scale_add(T *y, const T *x, const float *scale, index_t values, int channels)
{
	for (index_t i = first() * V; i < values; i += step() * V) {
		Values<V> *at = (Values<V> *)(y + i), out = *at, in = *(const Values<V> *)(x + i);
		Floats<V> s = *(const Floats<V> *)(scale + i % channels);
		for (int k = 0; k < V; k++)
			out.v[k] = narrow(widen(out.v[k]) + s.v[k] * widen(in.v[k]));
		*at = out;
	}
}
extern "C" __global__ void scale_add_vector(T *y, const T *x, const float *scale, index_t values, int channels) { scale_add<VECTOR>(y, x, scale, values, channels); }
extern "C" __global__ void scale_add_scalar(T *y, const T *x, const float *scale, index_t values, int channels) { scale_add<1>(y, x, scale, values, channels); }

// finish is the epilogue of a convolution that an engine does alone:
// y = act(y + side + bias). side may be NULL.
template <int V> static __device__ void finish(T *y, const T *side, const float *bias, index_t values, int channels, int rectify)
{
	for (index_t i = first() * V; i < values; i += step() * V) {
		Values<V> *at = (Values<V> *)(y + i), out = *at, add = {};
		if (side != 0)
			add = *(const Values<V> *)(side + i);
		Floats<V> b = *(const Floats<V> *)(bias + i % channels);
		for (int k = 0; k < V; k++) {
			float f = widen(out.v[k]) + widen(add.v[k]) + b.v[k];
			out.v[k] = narrow(rectify ? relu(f) : f);
		}
		*at = out;
	}
}
extern "C" __global__ void finish_vector(T *y, const T *side, const float *bias, index_t values, int channels, int rectify) { finish<VECTOR>(y, side, bias, values, channels, rectify); }
extern "C" __global__ void finish_scalar(T *y, const T *side, const float *bias, index_t values, int channels, int rectify) { finish<1>(y, side, bias, values, channels, rectify); }

// check sets *flag if a value is infinite or NaN.
template <int V> static __device__ void check(int *flag, const T *x, index_t values)
{
	bool bad = false;
	for (index_t i = first() * V; i < values; i += step() * V) {
		Values<V> v = *(const Values<V> *)(x + i);
		for (int k = 0; k < V; k++)
			bad = bad || !finite(v.v[k]);
	}
	if (bad)
		*flag = 1;
}
extern "C" __global__ void check_vector(int *flag, const T *x, index_t values) { check<VECTOR>(flag, x, values); }
extern "C" __global__ void check_scalar(int *flag, const T *x, index_t values) { check<1>(flag, x, values); }

// convolve is the convolution for shapes that no engine of cuDNN computes:
// y = act(conv(x, w) + side + bias); w is K, R, R, C/groups. side may be NULL.
extern "C" __global__ void convolve(T *y, const T *x, const T *w, const float *bias, const T *side, index_t values, int height, int width, int channels,
                                    int outHeight, int outWidth, int outChannels, int kernel, int stride, int dilation, int pad, int groups, int rectify)
{
	int perGroup = channels / groups;
	for (index_t i = first(); i < values; i += step()) {
		index_t rest = i / outChannels;
		int k = i % outChannels, q = rest % outWidth, p = rest / outWidth % outHeight;
		index_t image = rest / outWidth / outHeight;
		int group = k / (outChannels / groups);
		float sum = 0;
		for (int r = 0; r < kernel; r++)
			for (int s = 0; s < kernel; s++) {
				int h = p * stride - pad + r * dilation, v = q * stride - pad + s * dilation;
				if (h < 0 || h >= height || v < 0 || v >= width)
					continue;
				const T *in = x + ((image * height + h) * width + v) * channels + group * perGroup;
				const T *taps = w + ((index_t)(k * kernel + r) * kernel + s) * perGroup;
				for (int c = 0; c < perGroup; c++)
					sum += widen(in[c]) * widen(taps[c]);
			}
		if (side != 0)
			sum += widen(side[i]);
		sum += bias[k];
		y[i] = narrow(rectify ? relu(sum) : sum);
	}
}
