//go:build cgo && unix

package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// The tests of this file that are named TestGPU need a GPU (make test-gpu) and are
// skipped without one. The functions that they call run on the emulated libraries
// too (emulated_test.go).

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

// TestGPUBatches: a batch in parts, and small batches in the program of a larger one.
func TestGPUBatches(t *testing.T) { testBatches(t, requireGPU(t)) }

func testBatches(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Train)["se"]
	values := testkit.Weights(plan, 4)
	r := newTestRunner(t, env, plan, values, Options{Precision: engine.FP16, noTune: true, maxBatch: 4, CheckLayers: true})
	const h, w = 12, 15
	all := checkAgainst(t, r, testkit.Network{Plan: plan, Values: values}, 11, h, w) // 4 + 4 + 3
	if len(r.programs) != 1 {
		t.Errorf("%d programs, want one for all parts", len(r.programs))
	}
	in, out := plan.InChannels*h*w, plan.OutLen(h, w)
	src := testkit.Images(11*in, 100*h+w)
	for n := 1; n <= 4; n++ {
		dst := make([]float32, n*out)
		if err := r.Run(t.Context(), dst, src[:n*in], n, h, w); err != nil {
			t.Fatal(err)
		}
		for i := range dst {
			if math.Float32bits(dst[i]) != math.Float32bits(all[i]) {
				t.Fatalf("%d images: result %d is %v, in a larger batch %v", n, i, dst[i], all[i])
			}
		}
	}
}

// TestGPUStart has two batches pending.
func TestGPUStart(t *testing.T) { testStart(t, requireGPU(t)) }

func testStart(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	values := testkit.Weights(plan, 5)
	r := newTestRunner(t, env, plan, values, Options{Precision: engine.BF16, noTune: true, Table: testkit.Images(3*256, 8)})
	const n, h, w, batches = 3, 32, 32, 7
	in, out := n*plan.InChannels*h*w, n*plan.OutLen(h, w)
	src := randomBytes(batches * in)
	got, want := make([]float32, batches*out), make([]float32, batches*out)
	var waits []func() error
	for i := range batches {
		buffer := slices.Clone(src[i*in:][:in])
		wait, err := r.StartBytes(t.Context(), got[i*out:][:out], buffer, n, h, w)
		if err != nil {
			t.Fatal(err)
		}
		clear(buffer) // StartBytes has copied it
		waits = append(waits, wait)
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range batches {
		runBytes(t, r, want[i*out:][:out], src[i*in:][:in], n, h, w)
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("result %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i, v := range testkit.Images(n, 6) {
		b[i] = byte(int(v * 100))
	}
	return b
}

// runBytes is StartBytes and its wait.
func runBytes(t *testing.T, r *Runner, dst []float32, src []byte, n, h, w int) {
	t.Helper()
	wait, err := r.StartBytes(t.Context(), dst, src, n, h, w)
	if err == nil {
		err = wait()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestGPUBytes: bytes with a table have the bits of the values that the table gives.
func TestGPUBytes(t *testing.T) { testBytes(t, requireGPU(t)) }

func testBytes(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	values := testkit.Weights(plan, 6)
	table := testkit.Images(3*256, 8)
	for _, reverse := range []bool{false, true} {
		r := newTestRunner(t, env, plan, values, Options{Precision: engine.FP16, noTune: true, Table: table, Reverse: reverse})
		const n, h, w = 2, 9, 11
		bytes, floats := make([]byte, n*h*w*3), make([]float32, n*h*w*3)
		for i := range bytes {
			bytes[i] = byte(i * 31)
			c, at, image := i%3, i/3%(h*w), i/3/(h*w)
			if reverse {
				c = 2 - c
			}
			floats[(image*3+c)*h*w+at] = table[c*256+int(bytes[i])]
		}
		a, b := make([]float32, n*70), make([]float32, n*70)
		runBytes(t, r, a, bytes, n, h, w)
		if err := r.Run(t.Context(), b, floats, n, h, w); err != nil {
			t.Fatal(err)
		}
		for i := range a {
			if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
				t.Fatalf("reverse %v: result %d is %v, want %v", reverse, i, a[i], b[i])
			}
		}
	}
}

// TestGPUOverflow: the error names the layer, whether each layer is checked or only
// the results are.
func TestGPUOverflow(t *testing.T) { testOverflow(t, requireGPU(t)) }

func testOverflow(t *testing.T, env cuda.Environment) {
	plan := testkit.Plan(model.Deploy, 5, testkit.Block(3, 16, 2, 1, 1, 0), testkit.Block(16, 16, 1, 1, 1, 0), testkit.Block(16, 16, 1, 1, 1, 0), testkit.Block(16, 16, 1, 1, 1, 0))
	values := testkit.Weights(plan, 7)
	weight, bias := plan.Blocks[2].Weight, plan.Blocks[2].Bias
	for i := range values[weight] {
		values[weight][i] = 30000
	}
	for i := range values[bias] {
		values[bias][i] = 60000
	}
	src, dst := testkit.Images(2*3*16*16, 1), make([]float32, 10)
	for _, check := range []bool{true, false} {
		// A later ReLU may turn NaN into 0. Without the checks the overflow must be in
		// the last layer, so that it reaches the results.
		plan := *plan
		if !check {
			plan.Depth = 3
		}
		r := newTestRunner(t, env, &plan, values, Options{Precision: engine.FP16, noTune: true, CheckLayers: check})
		err := r.Run(t.Context(), dst, src, 2, 16, 16)
		if err == nil || !strings.Contains(err.Error(), `"backbone.stage_1.2" are not finite: fp16 ends at 65504; use bf16`) {
			t.Errorf("layers checked %v: got %v", check, err)
		}
	}
	r := newTestRunner(t, env, plan, values, Options{Precision: engine.BF16, noTune: true})
	if err := r.Run(t.Context(), dst, src, 2, 16, 16); err != nil {
		t.Error(err)
	}
}

func TestGPUCancelledAndClosed(t *testing.T) { testCancelledAndClosed(t, requireGPU(t)) }

func testCancelledAndClosed(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	r := newTestRunner(t, env, plan, testkit.Weights(plan, 1), Options{noTune: true, maxBatch: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src, dst := testkit.Images(2*3*8*8, 1), make([]float32, 140)
	if err := r.Run(ctx, dst, src, 2, 8, 8); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := r.Run(t.Context(), dst, src, 2, 8, 8); err != nil {
		t.Error(err)
	}
	r.Trace(true)
	if err := r.Run(t.Context(), dst, src, 2, 8, 8); err != nil {
		t.Error(err)
	}
	if layers := r.Layers(); len(layers) != plan.Depth+1 || layers[0].Time <= 0 || layers[0].Algorithm == "" {
		t.Errorf("layers %v", layers)
	}
	r.Close()
	if err := r.Run(t.Context(), dst, src, 2, 8, 8); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got %v", err)
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
