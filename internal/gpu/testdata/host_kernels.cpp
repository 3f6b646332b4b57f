// Runs kernels.cu on the host, a fiber for each of CUDA's threads, and compares with
// plain loops in double. It shows that indices, tails and conditions are right. It
// shows nothing about speed.
//
//	g++ -std=c++17 -O1 -DREPVGG_HOST [-DREPVGG_FP16 | -DREPVGG_BF16] -I.. host_kernels.cpp

#include "host.h"

#include <cstdio>
#include <limits>
#include <random>

#ifdef REPVGG_FP16
static const double epsilon = std::ldexp(1, -11), largest = 65504;
#elif defined(REPVGG_BF16)
static const double epsilon = std::ldexp(1, -8), largest = 3.3e38;
#else
static const double epsilon = std::ldexp(1, -24), largest = 3.4e38;
#endif

#include "kernels.cu"

static int failures;

static void elements(long long n, const std::function<void()> &kernel) { launch({unsigned((n + 63) / 64 / 2 + 1)}, {64}, false, kernel); }

static std::mt19937 generator(1);
static float normal() { return std::normal_distribution<float>()(generator); }

static std::vector<float> randoms(size_t n)
{
	std::vector<float> v(n);
	for (auto &f : v)
		f = normal();
	return v;
}
static std::vector<T> maps(size_t n)
{
	std::vector<T> v(n);
	for (auto &f : v)
		f = narrow(normal());
	return v;
}

static const T guard = narrow(77);

// expect compares values; rounding is how often the result was rounded to T.
static void expect(const char *what, size_t i, double got, double want, double scale, double rounding)
{
	if (std::fabs(got - want) <= rounding * epsilon * std::fabs(want) + 1e-5 * scale || (failures > 0 && ++failures > 20))
		return;
	failures++;
	printf("%s: value %zu is %g, want %g\n", what, i, got, want);
}

static void images()
{
	const int n = 2, h = 5, w = 7, c = 3, padded = 8, area = h * w;
	auto src = randoms(n * c * area);
	std::vector<T> dst(n * area * padded + 4, guard);
	elements(n * area, [&] { images_float(dst.data(), src.data(), n * area, area, c, padded); });
	for (int i = 0; i < n * area * padded; i++) {
		int k = i % padded, at = i / padded % area, image = i / padded / area;
		expect("images_float", i, widen(dst[i]), k < c ? src[(image * c + k) * area + at] : 0, 0, 1);
	}
	for (int i = 0; i < 4; i++)
		expect("images_float beyond the end", i, widen(dst[n * area * padded + i]), 77, 0, 0);

	std::vector<float> back(n * c * area);
	elements(n * c * area, [&] { maps_float(back.data(), dst.data(), n * c * area, area, c, padded); });
	for (size_t i = 0; i < back.size(); i++)
		expect("maps_float", i, back[i], src[i], 0, 1);

	std::vector<unsigned char> bytes(n * area * c);
	for (auto &b : bytes)
		b = generator();
	auto table = randoms(c * 256);
	for (int reverse = 0; reverse < 2; reverse++) {
		elements(n * area, [&] { images_bytes(dst.data(), bytes.data(), table.data(), n * area, c, padded, reverse); });
		for (int i = 0; i < n * area * padded; i++) {
			int k = i % padded;
			expect("images_bytes", i, widen(dst[i]), k < c ? table[k * 256 + bytes[i / padded * c + (reverse ? c - 1 - k : k)]] : 0, 0, 1);
		}
	}
}

static void pools()
{
	struct {
		int n, area, channels;
		bool vector;
	} cases[] = {{2, 49, 40, true}, {1, 3, 264, true}, {1, 33, 37, false}};
	for (auto &k : cases) {
		auto src = maps(size_t(k.n) * k.area * k.channels);
		std::vector<float> dst(k.n * k.channels + 4, 77);
		int per = POOL_X * (k.vector ? VECTOR : 1);
		launch({unsigned((k.channels + per - 1) / per), unsigned(k.n)}, {POOL_X, POOL_Y}, true,
		       [&] { k.vector ? pool_vector(dst.data(), src.data(), k.area, k.channels) : pool_scalar(dst.data(), src.data(), k.area, k.channels); });
		for (int i = 0; i < k.n * k.channels; i++) {
			double sum = 0;
			for (int at = 0; at < k.area; at++)
				sum += widen(src[(size_t(i / k.channels) * k.area + at) * k.channels + i % k.channels]);
			expect("pool", i, dst[i], sum / k.area, 1, 0);
		}
		expect("pool beyond the end", 0, dst[k.n * k.channels], 77, 0, 0);
	}
}

static void linears()
{
	struct {
		int n, rows, columns, activation;
	} cases[] = {{1, 10, 37, 1}, {9, 9, 64, 0}, {3, 1, 200, 2}, {10, 35, 132, 2}};
	for (int which = 0; which < 8; which++) {
		auto &k = cases[which / 2];
		unsigned each = LINEAR_WARPS * (which % 2 ? LINEAR_ROWS : 1);
		auto x = randoms(k.n * k.columns), w = randoms(k.rows * k.columns), b = randoms(k.rows);
		std::vector<float> y(k.n * k.rows + 4, 77);
		launch({(k.rows + each - 1) / each, unsigned((k.n + LINEAR_IMAGES - 1) / LINEAR_IMAGES)}, {32, LINEAR_WARPS}, true,
		       [&] { (which % 2 ? linear_rows : linear_row)(y.data(), x.data(), w.data(), b.data(), k.n, k.rows, k.columns, k.activation); });
		for (int i = 0; i < k.n * k.rows; i++) {
			double sum = b[i % k.rows];
			for (int c = 0; c < k.columns; c++)
				sum += double(w[i % k.rows * k.columns + c]) * x[i / k.rows * k.columns + c];
			double want = k.activation == 1 ? std::max(sum, 0.0) : k.activation == 2 ? 1 / (1 + std::exp(-sum)) : sum;
			expect("linear", i, y[i], want, 10, 0);
		}
		expect("linear beyond the end", 0, y[k.n * k.rows], 77, 0, 0);
	}
}

static void gates()
{
	for (int channels : {16, 13}) {
		const int n = 2, area = 9;
		auto y = maps(n * area * channels + 8), before = y;
		auto g = randoms(n * channels);
		long long values = n * area * channels;
		elements(values, [&] { channels % VECTOR == 0 ? gate_vector(y.data(), g.data(), values, area * channels, channels) : gate_scalar(y.data(), g.data(), values, area * channels, channels); });
		for (int i = 0; i < values + 8; i++) {
			double want = widen(before[i]);
			if (i < values)
				want = std::max(want * g[i / (area * channels) * channels + i % channels], 0.0);
			expect("gate", i, widen(y[i]), want, 0, 1.01);
		}
	}
}

static void scaleAdds()
{
	for (int channels : {16, 13}) {
		long long values = 11 * channels;
		auto y = maps(values + 8), before = y, x = maps(values);
		auto scale = randoms(channels);
		elements(values, [&] { channels % VECTOR == 0 ? scale_add_vector(y.data(), x.data(), scale.data(), values, channels) : scale_add_scalar(y.data(), x.data(), scale.data(), values, channels); });
		for (int i = 0; i < values + 8; i++)
			expect("scale_add", i, widen(y[i]), widen(before[i]) + (i < values ? double(scale[i % channels]) * widen(x[i]) : 0), 1, 1.01);
	}
}

static void finishes()
{
	for (int channels : {16, 13})
		for (bool add : {false, true})
			for (bool rectify : {false, true}) {
				long long values = 11 * channels;
				auto y = maps(values + 8), before = y, side = maps(values);
				auto bias = randoms(channels);
				const T *s = add ? side.data() : nullptr;
				elements(values, [&] { channels % VECTOR == 0 ? finish_vector(y.data(), s, bias.data(), values, channels, rectify) : finish_scalar(y.data(), s, bias.data(), values, channels, rectify); });
				for (int i = 0; i < values + 8; i++) {
					double want = widen(before[i]);
					if (i < values) {
						want += (add ? widen(side[i]) : 0) + bias[i % channels];
						if (rectify)
							want = std::max(want, 0.0);
					}
					expect("finish", i, widen(y[i]), want, 1, 1.01);
				}
			}
}

static void checks()
{
	const float inf = std::numeric_limits<float>::infinity();
	for (int channels : {16, 13})
		for (float bad : {0.0f, inf, -inf, NAN, float(largest), -float(largest)})
			for (int at : {0, 7, 7 * channels - 1}) {
				long long values = 7 * channels;
				auto x = maps(values + 8);
				x[values] = narrow(inf); // beyond the end
				x[at] = narrow(bad);
				int flag = 0;
				elements(values, [&] { channels % VECTOR == 0 ? check_vector(&flag, x.data(), values) : check_scalar(&flag, x.data(), values); });
				expect("check", at, flag, !std::isfinite(bad), 0, 0);
			}
}

static void convolutions()
{
	struct {
		int n, h, w, c, k, r, stride, dilation, groups;
		bool side, rectify;
	} cases[] = {{2, 5, 6, 8, 8, 3, 1, 1, 1, false, true}, {1, 7, 5, 12, 18, 3, 2, 1, 3, true, true},
	             {1, 6, 9, 5, 7, 3, 1, 2, 1, true, false}, {2, 5, 5, 6, 4, 1, 2, 1, 2, false, false}};
	for (auto &s : cases) {
		int p = (s.h - 1) / s.stride + 1, q = (s.w - 1) / s.stride + 1, per = s.c / s.groups, pad = s.r == 3 ? s.dilation : 0;
		auto x = maps(s.n * s.h * s.w * s.c), w = maps(s.k * s.r * s.r * per), side = maps(s.n * p * q * s.k);
		auto bias = randoms(s.k);
		long long values = s.n * p * q * s.k;
		std::vector<T> y(values + 4, guard);
		elements(values, [&] {
			convolve(y.data(), x.data(), w.data(), bias.data(), s.side ? side.data() : nullptr, values, s.h, s.w, s.c, p, q, s.k, s.r, s.stride, s.dilation, pad, s.groups, s.rectify);
		});
		for (int i = 0; i < values; i++) {
			int k = i % s.k, col = i / s.k % q, row = i / s.k / q % p, image = i / s.k / q / p;
			double sum = bias[k] + (s.side ? widen(side[i]) : 0);
			for (int a = 0; a < s.r; a++)
				for (int b = 0; b < s.r; b++)
					for (int c = 0; c < per; c++) {
						int u = row * s.stride - pad + a * s.dilation, v = col * s.stride - pad + b * s.dilation;
						if (u >= 0 && u < s.h && v >= 0 && v < s.w)
							sum += double(widen(x[((image * s.h + u) * s.w + v) * s.c + k / (s.k / s.groups) * per + c])) * widen(w[((k * s.r + a) * s.r + b) * per + c]);
					}
			expect("convolve", i, widen(y[i]), s.rectify ? std::max(sum, 0.0) : sum, 10, 1.01);
		}
		expect("convolve beyond the end", 0, widen(y[values]), 77, 0, 0);
	}
}

int main()
{
	images();
	pools();
	linears();
	gates();
	scaleAdds();
	finishes();
	checks();
	convolutions();
	// What fmaxf would hide.
	if (relu(NAN) == relu(NAN)) {
		printf("relu: NaN is lost\n");
		failures++;
	}
	if (failures == 0)
		printf("ok\n");
	return failures != 0;
}
