//go:build cgo && unix

package gpu

import (
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// Tests named TestGPU need a GPU (make test-gpu) and are skipped without one. Most
// functions that they call run on the emulated libraries too (emulated_test.go).

// tolerances are differences from float64 through a few layers, relative to the
// largest result of an image (docs/numerics.md). They follow from the rounding of
// each precision. That of tf32 allows for tensor cores that truncate factors instead
// of rounding them: such errors add up from layer to layer.
var tolerances = map[precision]float64{fp32: 1e-5, tf32: 1.5e-2, fp16: 5e-3, bf16: 4e-2}

// theGPU opens the GPU once and never closes it. Otherwise each Runner would make a
// new context and load cuDNN's code again.
var theGPU = sync.OnceValue(func() error {
	env := cuda.HostEnvironment()
	if _, err := cuda.OpenDevice(env, 0); err != nil {
		return err
	}
	cuda.Preload(env)
	_, err := cuda.OpenCUDNN(env)
	return err
})

// requireGPU is the environment of this machine's GPU. Without a GPU it skips the
// test.
func requireGPU(t *testing.T) cuda.Environment {
	t.Helper()
	err := theGPU()
	if err != nil && os.Getenv("REPVGG_REQUIRE_GPU") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return cuda.HostEnvironment()
}

// atOnce runs subtests at the same time on a GPU, where they mostly compile
// engines.
func atOnce(t *testing.T, env cuda.Environment) {
	if env.Driver == "" {
		t.Parallel()
	}
}

func newTestRunner(t *testing.T, env cuda.Environment, p *model.Plan, values tensor.Map, opts Options) *Runner {
	t.Helper()
	if opts.Note == nil {
		opts.Note = func(text string) { t.Log(text) }
	}
	r, err := newRunner(p, values, opts, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// checkAgainst runs n images and compares them with the reference.
func checkAgainst(t *testing.T, r *Runner, ref testkit.Network, n, h, w int) []float32 {
	t.Helper()
	in, out := ref.Plan.InChannels*h*w, ref.Plan.OutLen(h, w)
	src, dst := testkit.Images(n*in, uint64(100*h+w)), make([]float32, n*out)
	if err := r.Run(t.Context(), dst, src, n, h, w); err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i := range n {
		want := ref.Image(src[i*in:][:in], h, w)
		largest := 0.0
		for _, v := range want {
			largest = max(largest, math.Abs(v))
		}
		for j, v := range want {
			d := math.Abs(float64(dst[i*out+j])-v) / max(largest, 1e-30)
			worst = max(worst, d)
			if !(d <= tolerances[r.precision]) {
				t.Fatalf("%dx%d: result %d of image %d is %v, want %v (largest %v)", h, w, j, i, dst[i*out+j], v, largest)
			}
		}
	}
	t.Logf("%d images of %dx%d: largest difference %.2g", n, h, w, worst)
	return dst
}

func TestGPUMatchesReference(t *testing.T) {
	env := requireGPU(t)
	// Each shape costs a compilation.
	for _, p := range []precision{fp32, fp16} {
		testMatchesReference(t, env, p, [2]int{33, 40}, [2]int{1, 9})
	}
	for _, p := range []precision{tf32, bf16} {
		testMatchesReference(t, env, p, [2]int{7, 7})
	}
}

// TestGPUEngines logs which engines cuDNN has for typical layers, by method, and how
// fast they are. It wants one for every layer.
func TestGPUEngines(t *testing.T) {
	env := requireGPU(t)
	plan := testkit.Plans(model.Deploy)["wide"]
	for _, p := range []precision{fp16, bf16, tf32, fp32} {
		r := newTestRunner(t, env, plan, testkit.Weights(plan, 1), Options{Precision: engine.Precision(p)})
		images := cuda.TensorAlignment / p.size() // 3 channels, padded
		for _, s := range []cuda.ConvShape{
			{N: 32, H: 224, W: 224, C: images, K: 48, R: 3, Stride: 2, Dilation: 1, Pad: 1, Groups: 1},
			{N: 32, H: 14, W: 14, C: 192, K: 192, R: 3, Stride: 1, Dilation: 1, Pad: 1, Groups: 1},
			{N: 32, H: 28, W: 28, C: 256, K: 256, R: 3, Stride: 1, Dilation: 1, Pad: 1, Groups: 4},
			{N: 1, H: 14, W: 14, C: 192, K: 192, R: 3, Stride: 1, Dilation: 1, Pad: 1, Groups: 1},
		} {
			t.Run(shapeKey(s, epilogue{}, p), func(t *testing.T) { testEngines(t, r, s) })
		}
	}
}

// testMatchesReference runs images of several heights and widths.
func testMatchesReference(t *testing.T, env cuda.Environment, p precision, sizes ...[2]int) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for name, plan := range testkit.Plans(form) {
			t.Run(fmt.Sprintf("%v/%v/%s", p, form, name), func(t *testing.T) {
				atOnce(t, env)
				values := testkit.Weights(plan, 1)
				r := newTestRunner(t, env, plan, values, Options{Precision: engine.Precision(p), noTune: true, CheckLayers: p == fp16})
				for _, size := range sizes {
					checkAgainst(t, r, testkit.Network{Plan: plan, Values: values}, 2, size[0], size[1])
				}
			})
		}
	}
}

// TestGPUMethods forces each way to compute a convolution.
func TestGPUMethods(t *testing.T) {
	env := requireGPU(t)
	for _, p := range []precision{fp32, tf32, fp16, bf16} {
		testMethods(t, env, p)
	}
}

func testMethods(t *testing.T, env cuda.Environment, p precision) {
	for _, method := range []string{methodGraph, methodGraphNarrow, methodGraphZero, methodGraphPlain, methodLegacy, methodDirect} {
		if method == methodGraphNarrow && p.size() == 4 {
			continue
		}
		for _, form := range []model.Form{model.Train, model.Deploy} {
			if method == methodGraphZero && form == model.Train {
				continue // its 3x3 convolutions add another tensor
			}
			t.Run(fmt.Sprintf("%s/%v/%v", method, p, form), func(t *testing.T) {
				atOnce(t, env)
				plan := testkit.Plans(form)["wide"]
				values := testkit.Weights(plan, 2)
				r := newTestRunner(t, env, plan, values, Options{Precision: engine.Precision(p), noTune: true, method: method})
				// cuDNN may have no engine (TestGPUEngines logs that), but every engine
				// that it has must be right.
				if err := r.Prepare(t.Context(), 2, 20, 20); err != nil && env.Driver == "" && method != methodDirect && !cuda.IsLost(err) {
					t.Skip(err)
				}
				checkAgainst(t, r, testkit.Network{Plan: plan, Values: values}, 2, 20, 20)
				for key, c := range r.convolver.choices.session {
					t.Logf("%s: %s", key, c.name())
				}
			})
		}
	}
}

// TestGPUTunes: a choice is kept and taken by the next runner.
func TestGPUTunes(t *testing.T) {
	env := requireGPU(t)
	plan := testkit.Plans(model.Deploy)["wide"]
	values := testkit.Weights(plan, 3)
	opts := Options{Precision: engine.FP16, cacheDir: t.TempDir()}
	first := newTestRunner(t, env, plan, values, opts)
	a := checkAgainst(t, first, testkit.Network{Plan: plan, Values: values}, 4, 32, 32)
	again := newTestRunner(t, env, plan, values, opts)
	// A choice without a graph to compare with is not kept.
	want := len(first.convolver.choices.Kept)
	if n := len(again.convolver.choices.Kept); n != want || n == 0 {
		t.Fatalf("%d choices were kept, want %d", n, want)
	}
	if want != plan.Depth {
		t.Skipf("cuDNN has graphs for %d shapes of %d", want, plan.Depth)
	}
	b := checkAgainst(t, again, testkit.Network{Plan: plan, Values: values}, 4, 32, 32)
	if again.convolver.choices.changed {
		t.Error("the choice was made again")
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Fatalf("result %d is %v, and %v with the kept choice", i, a[i], b[i])
		}
	}
}

func TestGPUNumber(t *testing.T) {
	env := requireGPU(t)
	plan := testkit.Plans(model.Deploy)["plain"]
	if _, err := newRunner(plan, testkit.Weights(plan, 1), Options{GPU: 1000}, env); err == nil || !strings.Contains(err.Error(), "there is no GPU 1000") {
		t.Errorf("got %v", err)
	}
}

// TestGPUPeak logs the peak of each precision.
func TestGPUPeak(t *testing.T) {
	requireGPU(t)
	for _, p := range []precision{fp16, bf16, tf32, fp32} {
		gflops, err := Peak(t.Context(), 0, engine.Precision(p))
		if err != nil || gflops <= 0 {
			t.Fatal(gflops, err)
		}
		t.Logf("%v: %.0f TFLOP/s", p, gflops/1e3)
	}
}
