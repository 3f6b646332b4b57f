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
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// TestEmulatedCalls is about calls in any order and their errors.
func TestEmulatedCalls(t *testing.T) {
	env := emulated(t, fp16)
	for name, test := range map[string]func(*testing.T, environment){
		"random": testRandomCalls, "halving": testHalvingKeepsErrors, "failed start": testFailedStartBytes, "forgets": testForgets,
	} {
		t.Run(name, func(t *testing.T) { test(t, env) })
	}
}

// testRandomCalls holds batches of random sizes on random ways, some at the same
// time and with little memory, against a runner that takes one image at a time.
func testRandomCalls(t *testing.T, env environment) {
	plan := testkit.Plans(model.Train)["se"]
	values, table := testkit.Weights(plan, 4), testkit.Images(3*256, 8)
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testCalls(t, env, plan, values, table, seed) })
	}
}

func testCalls(t *testing.T, env environment, plan *model.Plan, values tensor.Map, table []float32, seed uint64) {
	t.Setenv("EMULATED_MEMORY", "1000000000")
	rng := rand.New(rand.NewPCG(seed, 1))
	r := newTestRunner(t, env, plan, values, Options{Precision: engine.FP16, NoTune: true, MaxBatch: rng.IntN(4), CheckLayers: seed%2 == 0, Table: table, Resident: seed%3 == 2, Note: func(string) {}})
	one := newTestRunner(t, env, plan, values, Options{Precision: engine.FP16, NoTune: true, MaxBatch: 1, Table: table})
	room := int(r.d.bytes()) + 10_000 + int(seed)*10_000
	memory := func(short bool) {
		size := 1_000_000_000
		if short && seed >= 3 { // the device's memory is for both runners
			size = int(one.d.bytes()) + room
		}
		t.Setenv("EMULATED_MEMORY", fmt.Sprint(size))
	}
	var onTheirWay []func()
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
		onTheirWay = append(onTheirWay, func() {
			if err := wait(); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("step %d: result %d is %v, want %v", step, i, got[i], want[i])
				}
			}
		})
		for len(onTheirWay) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(onTheirWay))
			onTheirWay[i]()
			onTheirWay = append(onTheirWay[:i], onTheirWay[i+1:]...)
		}
	}
	for _, finish := range onTheirWay {
		finish()
	}
}

// testHalvingKeepsErrors: when memory is short for the second part of a batch,
// the error of the first is not lost.
func testHalvingKeepsErrors(t *testing.T, env environment) {
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
		r, err := newRunner(plan, values, Options{Precision: engine.FP16, NoTune: true, NoCache: true, MaxBatch: 4, CheckLayers: true,
			Note: func(text string) {
				if strings.Contains(text, "memory is short") {
					halved++
				}
			}}, env)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("EMULATED_MEMORY", fmt.Sprint(int(r.d.bytes())+extra))
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

// endsAfter is a context that ends when it has been asked so often.
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

// testFailedStartBytes: nothing writes to results after an error.
func testFailedStartBytes(t *testing.T, env environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	r := newTestRunner(t, env, plan, testkit.Weights(plan, 7), Options{Precision: engine.FP16, NoTune: true, MaxBatch: 1, Table: testkit.Images(3*256, 8)})
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

// remembering is an operation whose result depends on what lay there.
type remembering func() error

func (r remembering) run() error                            { return r() }
func (r remembering) elsewhere(operands) (operation, error) { return r, nil }
func (r remembering) close()                                {}

// testForgets: an engine that takes what lies in its result into account is seen,
// even if its ReLU makes 0 of NaN.
func testForgets(t *testing.T, env environment) {
	plan := testkit.Plans(model.Deploy)["plain"]
	r := newTestRunner(t, env, plan, testkit.Weights(plan, 7), Options{Precision: engine.FP16, NoTune: true})
	leave, err := r.d.enter()
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	s := convShape{N: 1, H: 4, W: 4, C: 8, K: 8, R: 1, Stride: 1, Dilation: 1, Groups: 1}
	size := 2 * s.results()
	y, err := r.d.alloc(size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.d.free(&y)
	tr := &trial{convolver: r.convolver, wanted: wanted{s: s, at: operands{y: y}}}
	for _, remembers := range []bool{false, true} {
		err := tr.forgets(remembering(func() error {
			var before [2]byte
			if err := r.d.download(before[:], y, r.compute); err != nil {
				return err
			}
			if remembers && before[1] == 0xff {
				return r.d.fill(y, 0, size, r.compute)
			}
			return r.d.fill(y, 0x3c, size, r.compute)
		}))
		if (err != nil) != remembers {
			t.Errorf("remembers %v: %v", remembers, err)
		}
	}
}
