//go:build cgo && linux

package gpu

import (
	"math"
	"strings"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

// The tests of testGraphs run on the emulated cuDNN that computes
// (testdata/emulated_cudnn.h). They check how this package uses graphs and engines
// and chooses between them. They do not show that the real cuDNN accepts the graphs.

// withGraphs is an emulated environment with that cuDNN instead of the one that
// refuses everything.
func withGraphs(env cuda.Environment) cuda.Environment {
	getenv, driver := env.Getenv, env.Driver
	env.Getenv = func(name string) string {
		if name == "REPVGG_CUDNN_PATH" {
			return driver
		}
		return getenv(name)
	}
	return env
}

func testGraphs(t *testing.T, env cuda.Environment, p precision) {
	env = withGraphs(env)
	for name, test := range map[string]func(*testing.T, cuda.Environment, precision){
		"methods": testMethods, "tunes": testTunes, "dependent": testDependent,
	} {
		t.Run(name, func(t *testing.T) {
			leakFree(t, env)
			test(t, env, p)
		})
	}
	switch p {
	case bf16:
		t.Run("start", func(t *testing.T) {
			leakFree(t, env)
			testStart(t, env)
		})
	case fp32:
		t.Run("tensor cores", func(t *testing.T) {
			leakFree(t, env)
			testTensorCores(t, env)
		})
		t.Run("short memory", func(t *testing.T) {
			leakFree(t, env)
			testShortPlans(t, env)
		})
	case fp16:
		testMatchesReference(t, env, p, [2]int{9, 10}, [2]int{1, 3})
		for name, test := range map[string]func(*testing.T, cuda.Environment){
			"batches": testBatches, "overflow": testOverflow, "failing starts": testFailingStarts, "closed": testCancelledAndClosed,
			"restores": testRestores, "short workspace": testShortWorkspace, "refusals": testEngineRefusals, "uncaptured": testUncaptured,
			"older interface": testOlderInterface, "cancelled": testCancelledSearch, "resident": testResidentAfterSearch,
		} {
			t.Run(name, func(t *testing.T) {
				leakFree(t, env)
				test(t, env)
			})
		}
		t.Run("lost", func(t *testing.T) {
			testLost(t, env)
			testLostSearch(t, env)
		})
		t.Run("halving", func(t *testing.T) {
			leakFree(t, env)
			t.Setenv("EMULATED_MEMORY", "600000")
			testHalving(t, env)
		})
	}
}

// leakFree fails a test that leaves memory, descriptors or other objects behind.
func leakFree(t *testing.T, env cuda.Environment) {
	base, err := cuda.OpenDevice(env, 0) // keeps the context
	if err != nil {
		t.Fatal(err)
	}
	before := memory(t, base)
	t.Cleanup(func() {
		if after := memory(t, base); after != before {
			t.Errorf("%d bytes or objects were not freed", before-after)
		}
		base.Close()
	})
}

// wide is a network whose numbers of channels every engine takes.
func wide(form model.Form) (*model.Plan, testkit.Network) {
	plan := testkit.Plans(form)["wide"]
	return plan, testkit.Network{Plan: plan, Values: testkit.Weights(plan, 3)}
}

// choose runs a network and returns the choices for its convolutions, the notes and
// the results.
func choose(t *testing.T, env cuda.Environment, form model.Form, opts Options) (chosen *choices, notes []string, results []float32) {
	t.Helper()
	plan, ref := wide(form)
	opts.Note = func(text string) { notes = append(notes, text) }
	r := newTestRunner(t, env, plan, ref.Values, opts)
	results = checkAgainst(t, r, ref, 2, 8, 9)
	return r.convolver.choices, notes, results
}

// expect compares choices with the method and the engine that they should be.
func expect(t *testing.T, choices map[string]choice, want int, method string, engine int64, knobs ...cuda.Knob) {
	t.Helper()
	if len(choices) != want {
		t.Errorf("%d choices, want %d", len(choices), want)
	}
	for key, c := range choices {
		if !c.same(choice{Method: method, Engine: engine, Knobs: knobs}) || c.Microseconds <= 0 {
			t.Errorf("%s: %+v, want %s, engine %d, knobs %v", key, c, method, engine, knobs)
		}
	}
}

// The knobs of the emulated engine 1, which is the fastest with the first of them.
var fast, detuned = []cuda.Knob{{Type: 3, Value: 1}, {Type: 7, Value: 42}}, []cuda.Knob{{Type: 3, Value: 0}, {Type: 7, Value: 42}}

// testTunes: the fastest of methods, engines and knobs is taken.
func testTunes(t *testing.T, env cuda.Environment, p precision) {
	deploy, _, _ := choose(t, env, model.Deploy, Options{Precision: engine.Precision(p), cacheDir: t.TempDir()})
	expect(t, deploy.Kept, 3, methodGraphZero, 1, fast...)
	train, _, _ := choose(t, env, model.Train, Options{Precision: engine.Precision(p), cacheDir: t.TempDir()})
	for key, c := range train.Kept {
		want := methodGraphZero
		if strings.Contains(key, " add") {
			if want = methodGraphNarrow; p.size() == 4 {
				want = methodGraph
			}
		}
		if !c.same(choice{Method: want, Engine: 1, Knobs: fast}) {
			t.Errorf("%s: %+v, want %s", key, c, want)
		}
	}
	if len(train.Kept) != 6 {
		t.Errorf("%d choices for 3 blocks", len(train.Kept))
	}
}

// testRestores: a choice that was kept is taken without a search. If cuDNN refuses
// it, the search is repeated.
func testRestores(t *testing.T, env cuda.Environment) {
	opts := Options{Precision: engine.FP16, cacheDir: t.TempDir()}
	_, notes, first := choose(t, env, model.Deploy, opts)
	if len(notes) != 1 || !strings.Contains(notes[0], "choosing cuDNN's engines") {
		t.Errorf("notes %q", notes)
	}
	again, notes, second := choose(t, env, model.Deploy, opts)
	if len(notes) != 0 || again.changed || len(again.session) != 0 {
		t.Errorf("searched again: notes %q", notes)
	}
	for i := range first {
		if math.Float32bits(first[i]) != math.Float32bits(second[i]) {
			t.Fatalf("result %d is %v, and %v with the kept choice", i, first[i], second[i])
		}
	}
	t.Setenv("EMULATED_REFUSED", "fast")
	refused, notes, _ := choose(t, env, model.Deploy, opts)
	if len(notes) != 1 {
		t.Errorf("notes %q", notes)
	}
	expect(t, refused.Kept, 3, methodGraphZero, 1, detuned...)
	again, notes, _ = choose(t, env, model.Deploy, opts)
	if len(notes) != 0 {
		t.Errorf("searched again: notes %q", notes)
	}
	expect(t, again.Kept, 3, methodGraphZero, 1, detuned...)
}

// testShortWorkspace: if memory for the workspace is short, the choices do not
// replace those that were measured with a larger one.
func testShortWorkspace(t *testing.T, env cuda.Environment) {
	opts := Options{Precision: engine.FP16, cacheDir: t.TempDir()}
	t.Setenv("EMULATED_ENGINES", "roomy fast")
	c, _, _ := choose(t, env, model.Deploy, opts)
	expect(t, c.Kept, 3, methodGraphZero, 9)
	other, err := cuda.OpenDevice(env, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p, err := other.Alloc(memory(t, other) - 50<<20)
	if err != nil {
		t.Fatal(err)
	}
	c, notes, _ := choose(t, env, model.Deploy, opts)
	expect(t, c.session, 3, methodGraphZero, 1, fast...)
	if len(notes) != 1 {
		t.Errorf("notes %q", notes)
	}
	other.Free(&p)
	c, notes, _ = choose(t, env, model.Deploy, opts)
	expect(t, c.Kept, 3, methodGraphZero, 9)
	if len(notes) != 0 {
		t.Errorf("notes %q", notes)
	}
}

// testEngineRefusals: engines are not taken, however fast, if they fail when they
// are made or run, need too much workspace, can't be captured, or do not keep the
// precision's promise.
func testEngineRefusals(t *testing.T, env cuda.Environment) {
	for _, bad := range []string{"refused late large uncaptured", "nondeterministic narrow"} {
		t.Setenv("EMULATED_ENGINES", bad+" slow fast")
		c, notes, _ := choose(t, env, model.Deploy, Options{Precision: engine.FP16, cacheDir: t.TempDir()})
		expect(t, c.Kept, 3, methodGraphZero, 1, fast...)
		if len(notes) != 1 {
			t.Errorf("notes %q", notes)
		}
		c, _, _ = choose(t, env, model.Deploy, Options{Precision: engine.FP16, noTune: true}) // can be run, if not captured
		for key, c := range c.session {
			if got := c.Engine; c.Method != methodGraph || got != 0 && got != 6 {
				t.Errorf("%s: %+v", key, c)
			}
		}
		t.Setenv("EMULATED_ENGINES", bad)
		c, _, _ = choose(t, env, model.Deploy, Options{Precision: engine.FP16, cacheDir: t.TempDir()})
		expect(t, c.session, 3, methodLegacy, 0)
	}
}

// testDependent: engines whose result depends on the old contents of its memory are
// not taken, neither for a graph nor of the older interface.
func testDependent(t *testing.T, env cuda.Environment, p precision) {
	for _, opts := range []Options{{noTune: true, method: methodGraphZero}, {noTune: true}, {}} {
		opts.Precision = engine.Precision(p)
		t.Setenv("EMULATED_ENGINES", "dependent")
		t.Setenv("EMULATED_LEGACY_DEPENDENT", "1")
		t.Setenv("EMULATED_NAN", "0") // ReLU hides NaN
		c, _, _ := choose(t, env, model.Deploy, opts)
		for _, choices := range []map[string]choice{c.session, c.Kept} {
			for key, c := range choices {
				if c.Method == methodGraphZero && c.Engine == 5 || c.Method == methodLegacy {
					t.Errorf("%s: %+v", key, c)
				}
			}
		}
	}
}
