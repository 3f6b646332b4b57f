//go:build cgo && linux

package gpu

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

// testUncaptured: without tuning an engine that can't be captured is taken, and run
// without a CUDA graph.
func testUncaptured(t *testing.T, env cuda.Environment) {
	t.Setenv("EMULATED_ENGINES", "uncaptured")
	_, notes, _ := choose(t, env, model.Deploy, Options{Precision: engine.FP16, noTune: true})
	if len(notes) != 1 || !strings.Contains(notes[0], "the network is run without a CUDA graph: block \"backbone.stage_1.0\": cudnnBackendExecute: ") {
		t.Errorf("notes %q", notes)
	}
}

// testOlderInterface: it is taken if it is the fastest or the only one, before the
// fallback engines. A choice without a graph to compare with is not kept.
func testOlderInterface(t *testing.T, env cuda.Environment) {
	t.Setenv("EMULATED_LEGACY", "1")
	c, _, _ := choose(t, env, model.Deploy, Options{Precision: engine.FP16, cacheDir: t.TempDir()})
	expect(t, c.Kept, 3, methodLegacy, 0)
	t.Setenv("EMULATED_ENGINES", "")
	c, notes, _ := choose(t, env, model.Train, Options{Precision: engine.FP16, cacheDir: t.TempDir()})
	expect(t, c.session, 6, methodLegacy, 0)
	if len(c.Kept) != 0 || len(notes) != 7 || !strings.Contains(notes[1], "there is no better engine than cuDNN fused: graph: ") {
		t.Errorf("choices %v, notes %q", c.Kept, notes)
	}
	t.Setenv("EMULATED_LEGACY", "0")
	c, _, _ = choose(t, env, model.Deploy, Options{Precision: engine.FP16, cacheDir: t.TempDir()})
	expect(t, c.Kept, 3, methodGraphZero, 0)
}

// testTensorCores: fp32 takes no engine with tensor cores, and finds the others
// behind many of those.
func testTensorCores(t *testing.T, env cuda.Environment) {
	t.Setenv("EMULATED_ENGINES", "tensor fast")
	c, _, _ := choose(t, env, model.Deploy, Options{Precision: engine.FP32, cacheDir: t.TempDir()})
	expect(t, c.Kept, 3, methodGraphZero, 1, fast...)
	t.Setenv("EMULATED_ENGINES", "tensor")
	t.Setenv("EMULATED_FALLBACK", "tensor")
	t.Setenv("EMULATED_LEGACY", "0")
	c, notes, _ := choose(t, env, model.Deploy, Options{Precision: engine.FP32, cacheDir: t.TempDir()})
	expect(t, c.session, 3, methodDirect, 0)
	if len(notes) != 4 || !strings.Contains(notes[1], "graph: no engine computes what the precision promises; 30 were proposed") {
		t.Errorf("notes %q", notes)
	}
	t.Setenv("EMULATED_ENGINES", "tensor fast")
	c, _, _ = choose(t, env, model.Deploy, Options{Precision: engine.TF32, cacheDir: t.TempDir()})
	for key, c := range c.Kept {
		if c.Engine < 20 {
			t.Errorf("%s: %+v, want tensor cores", key, c)
		}
	}
}

// testShortPlans: memory is too short for the code of engines.
func testShortPlans(t *testing.T, env cuda.Environment) {
	plan, ref := wide(model.Deploy)
	t.Setenv("EMULATED_PLAN", "1000000000000")
	t.Setenv("EMULATED_HANDLES", "1") // none for builders
	c, _, _ := choose(t, env, model.Deploy, Options{Precision: engine.FP32, cacheDir: t.TempDir()})
	expect(t, c.session, 3, methodLegacy, 0)
	if len(c.Kept) != 0 {
		t.Errorf("kept %v", c.Kept)
	}
	t.Setenv("EMULATED_HANDLES", "2") // the first runner is still there
	// Without the older interface smaller batches are tried, then our own kernel for
	// one image.
	t.Setenv("EMULATED_LEGACY", "0")
	var notes []string
	r := newTestRunner(t, env, plan, ref.Values, Options{Precision: engine.FP32, noTune: true, Note: func(text string) { notes = append(notes, text) }})
	checkAgainst(t, r, ref, 2, 8, 9)
	expectMethods(t, r, methodDirect)
	if len(notes) != 1 || !strings.Contains(notes[0], "1 images are computed at once instead of 2") {
		t.Errorf("notes %q", notes)
	}
}

func expectMethods(t *testing.T, r *Runner, method string) {
	t.Helper()
	for key, c := range r.convolver.choices.session {
		if c.Method != method {
			t.Errorf("%s: %+v, want %s", key, c, method)
		}
	}
}

// countdown is a context that ends after as many calls of Err as left holds values.
type countdown struct {
	context.Context
	left chan struct{}
}

func (c countdown) Err() error {
	select {
	case <-c.left:
		return nil
	default:
		return context.Canceled
	}
}

// testCancelledSearch: wherever a search is cancelled, the next one succeeds.
func testCancelledSearch(t *testing.T, env cuda.Environment) {
	plan, ref := wide(model.Deploy)
	src, dst := testkit.Images(2*3*8*9, 1), make([]float32, 10)
	done := false
	for n := 0; !done; n += 1 + n/2 {
		r := newTestRunner(t, env, plan, ref.Values, Options{Precision: engine.FP16})
		ctx := countdown{t.Context(), make(chan struct{}, n)}
		for range n {
			ctx.left <- struct{}{}
		}
		err := r.Run(ctx, dst, src, 2, 8, 9)
		if done = err == nil; !done && !errors.Is(err, context.Canceled) {
			t.Errorf("after %d: got %v", n, err)
		}
		if !done && n == 20 || done {
			checkAgainst(t, r, ref, 2, 8, 9)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// testLostSearch: the device is lost while engines are measured, or while kept
// choices are run for the first time.
func testLostSearch(t *testing.T, env cuda.Environment) {
	plan, ref := wide(model.Deploy)
	src, dst := testkit.Images(2*3*8*9, 1), make([]float32, 10)
	opts := Options{Precision: engine.FP16, cacheDir: t.TempDir()}
	for i, launches := range []string{"0", "1", "2", "7", "40", "1000", "3000", "0", "1", "5"} {
		if i == 7 {
			t.Setenv("EMULATED_LOSS", "1000000000")
			choose(t, env, model.Deploy, opts)
		}
		t.Setenv("EMULATED_LOSS", launches)
		r, err := newRunner(plan, ref.Values, opts, env)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := r.Run(t.Context(), dst, src, 2, 8, 9); !cuda.IsLost(err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s launches: got %v", launches, err)
			}
		}
		r.Close() // must return
	}
}

// testResidentAfterSearch: images that a search has overwritten are copied again,
// also if the search was cancelled.
func testResidentAfterSearch(t *testing.T, env cuda.Environment) {
	plan, ref := wide(model.Deploy)
	r := newTestRunner(t, env, plan, ref.Values, Options{Precision: engine.FP16, Resident: true})
	src, first, again := testkit.Images(2*3*16*16, 1), make([]float32, 10), make([]float32, 10)
	if err := r.Run(t.Context(), first, src, 2, 16, 16); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.convolver.note = func(string, ...any) {}
	defer cancel()
	left := make(chan struct{}, 200)
	for range 40 {
		left <- struct{}{}
	}
	if err := r.Run(countdown{ctx, left}, again, src[:2*3*8*8], 2, 8, 8); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := r.Run(t.Context(), again, src, 2, 16, 16); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first, again) {
		t.Errorf("%v, and after a search that was cancelled %v", first, again)
	}
}
