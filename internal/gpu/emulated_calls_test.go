//go:build cgo && linux

package gpu

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// TestEmulatedCalls makes calls in any order and checks their errors.
func TestEmulatedCalls(t *testing.T) {
	env := emulated(t, fp16)
	for name, test := range map[string]func(*testing.T, cuda.Environment){
		"random": testRandomCalls, "halving": testHalvingKeepsErrors, "failed start": testFailedStartBytes, "independent": testIndependent,
	} {
		t.Run(name, func(t *testing.T) { test(t, env) })
	}
}

// testRandomCalls runs batches of random sizes by random calls, some at the same
// time and with little memory. The results must be those of a runner that takes one
// image at a time.
func testRandomCalls(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Train)["se"]
	values, table := testkit.Weights(plan, 4), testkit.Images(3*256, 8)
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testCalls(t, env, plan, values, table, seed) })
	}
}

func testCalls(t *testing.T, env cuda.Environment, plan *model.Plan, values tensor.Map, table []float32, seed uint64) {
	t.Setenv("EMULATED_MEMORY", "1000000000")
	rng := rand.New(rand.NewPCG(seed, 1))
	r := newTestRunner(t, env, plan, values, Options{Precision: engine.FP16, noTune: true, maxBatch: rng.IntN(4), CheckLayers: seed%2 == 0, Table: table, Resident: seed%3 == 2, Note: func(string) {}})
	one := newTestRunner(t, env, plan, values, Options{Precision: engine.FP16, noTune: true, maxBatch: 1, Table: table})
	room := int(r.d.Allocated()) + 10_000 + int(seed)*10_000
	memory := func(short bool) {
		size := 1_000_000_000
		if short && seed >= 3 { // the device's memory is for both runners
			size = int(one.d.Allocated()) + room
		}
		t.Setenv("EMULATED_MEMORY", fmt.Sprint(size))
	}
	var waits []func()
	for step := range 8 {
		n, h, w := 1+rng.IntN(5), 4+rng.IntN(3), 5
		got, want := make([]float32, n*plan.OutLen(h, w)), make([]float32, n*plan.OutLen(h, w))
		wait := func() error { return nil }
		var err error
		memory(false)
		if rng.IntN(3) > 0 {
			src := randomBytes(n * 3 * h * w)
			for i := range src {
				src[i] += byte(step * 7)
			}
			runBytes(t, one, want, src, n, h, w)
			memory(true)
			wait, err = r.StartBytes(t.Context(), got, src, n, h, w)
			clear(src)
		} else {
			src := testkit.Images(n*3*h*w, uint64(step))
			if err := one.Run(t.Context(), want, src, n, h, w); err != nil {
				t.Fatal(err)
			}
			memory(true)
			err = r.RunQueued(t.Context(), got, src, n, h, w, 1+rng.IntN(3))
		}
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		waits = append(waits, func() {
			if err := wait(); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("step %d: result %d is %v, want %v", step, i, got[i], want[i])
				}
			}
		})
		for len(waits) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(waits))
			waits[i]()
			waits = append(waits[:i], waits[i+1:]...)
		}
	}
	for _, finish := range waits {
		finish()
	}
}

// testHalvingKeepsErrors: if memory is short for the second part of a batch, the
// error of the first part is still returned.
func testHalvingKeepsErrors(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	values := testkit.Weights(plan, 7)
	const n, h, w = 8, 16, 16
	src, dst := testkit.Images(n*3*h*w, 1), make([]float32, n*plan.OutLen(h, w))
	for i := range src[:3*h*w] { // of the first part
		src[i] = 60000
	}
	halved := 0
	for extra := 0; extra < 400_000; extra += 20_000 {
		t.Setenv("EMULATED_MEMORY", "1000000000")
		r, err := newRunner(plan, values, Options{Precision: engine.FP16, noTune: true, maxBatch: 4, CheckLayers: true,
			Note: func(text string) {
				if strings.Contains(text, "memory is short") {
					halved++
				}
			}}, env)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("EMULATED_MEMORY", fmt.Sprint(int(r.d.Allocated())+extra))
		if err := r.Run(t.Context(), dst, src, n, h, w); err == nil {
			t.Errorf("%d bytes: no error", extra)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if halved == 0 {
		t.Error("memory was never short")
	}
}

// endsAfter is a context that ends after n calls of Err.
type endsAfter struct {
	context.Context
	n int
}

func (e *endsAfter) Err() error {
	if e.n--; e.n < 0 {
		return context.Canceled
	}
	return nil
}

// testFailedStartBytes: after an error nothing is written to the results.
func testFailedStartBytes(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	r := newTestRunner(t, env, plan, testkit.Weights(plan, 7), Options{Precision: engine.FP16, noTune: true, maxBatch: 1, Table: testkit.Images(3*256, 8)})
	const n, h, w = 3, 8, 8
	if err := r.Prepare(t.Context(), 1, h, w); err != nil {
		t.Fatal(err)
	}
	dst, other := make([]float32, n*plan.OutLen(h, w)), make([]float32, plan.OutLen(h, w))
	if _, err := r.StartBytes(&endsAfter{t.Context(), 1}, dst, randomBytes(n*3*h*w), n, h, w); err == nil {
		t.Fatal("no error")
	}
	clear(dst)
	for range 2 {
		if err := r.Run(t.Context(), other, testkit.Images(3*h*w, 1), 1, h, w); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range dst {
		if v != 0 {
			t.Fatal("results were written after StartBytes had failed")
		}
	}
}

// testOperation is an operation that calls a function.
type testOperation func() error

func (f testOperation) run() error                         { return f() }
func (f testOperation) rebind(operands) (operation, error) { return f, nil }
func (f testOperation) close()                             {}

// testIndependent: an engine whose result depends on the old contents of its memory
// is refused, even if its ReLU turns NaN into 0.
func testIndependent(t *testing.T, env cuda.Environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	r := newTestRunner(t, env, plan, testkit.Weights(plan, 7), Options{Precision: engine.FP16, noTune: true})
	leave, err := r.d.Enter()
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	s := cuda.ConvShape{N: 1, H: 4, W: 4, C: 8, K: 8, R: 1, Stride: 1, Dilation: 1, Groups: 1}
	size := 2 * s.Results()
	y, err := r.d.Alloc(size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.d.Free(&y)
	tr := &search{convolver: r.convolver, convolution: convolution{shape: s, at: operands{y: y}}}
	for _, dependent := range []bool{false, true} {
		err := tr.checkIndependent(testOperation(func() error {
			var before [2]byte
			if err := r.compute.Download(before[:], y); err != nil {
				return err
			}
			if dependent && before[1] == 0xff {
				return r.compute.Fill(y, 0, size)
			}
			return r.compute.Fill(y, 0x3c, size)
		}))
		if (err != nil) != dependent {
			t.Errorf("dependent %v: %v", dependent, err)
		}
	}
}
