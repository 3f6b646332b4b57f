//go:build cgo && unix

package gpu

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

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
