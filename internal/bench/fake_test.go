package bench

import (
	"context"
	"testing"
	"time"

	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/recipe"
)

// fakeClock moves only when a fakeRunner runs.
type fakeClock struct{ at time.Time }

func (c *fakeClock) now() time.Time { return c.at }

// fakeRunner's runs take the times in took, one after the other. The last one
// repeats.
type fakeRunner struct {
	clock  *fakeClock
	took   []time.Duration
	runs   int
	log    *[]string
	name   string
	cancel func() // if set, called in the run after the last of took
	traced bool
	value  float32 // of the results
}

func (f *fakeRunner) Run(ctx context.Context, dst, _ []float32, _, _, _ int) error {
	if f.cancel != nil && f.runs >= len(f.took) {
		f.cancel()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.clock.at = f.clock.at.Add(f.took[min(f.runs, len(f.took)-1)])
	f.runs++
	for i := range dst {
		dst[i] = f.value
	}
	if f.log != nil {
		*f.log = append(*f.log, f.name)
	}
	return nil
}

func (f *fakeRunner) Capabilities() engine.Capabilities {
	return engine.Capabilities{
		Kernels: "fake",
		Memory:  func() (packed, total int64) { return 250_000, 1_000_000 },
		Trace:   func(on bool) { f.traced = on },
		Layers: func() []engine.LayerTime {
			return []engine.LayerTime{
				{Name: "backbone.stem", Algorithm: "direct", Time: 5 * time.Millisecond},
				{Name: "head", Algorithm: "linear", Time: time.Millisecond},
			}
		},
	}
}

func (f *fakeRunner) Close() error { return nil }

// planOfA0 returns the plan of the smallest variant.
func planOfA0(t *testing.T) *model.Plan {
	t.Helper()
	r, err := recipe.Load("repvgg-A0", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Network
}

// subject returns a row for a plan that runs on r.
func subject(t *testing.T, variant string, plan *model.Plan, r engine.Runner) Subject {
	t.Helper()
	row := Row{Config: "c", Variant: variant, Device: "cpu", Precision: "fp32", BatchSize: 2, Threads: 1, InputSize: 32, Weights: "seeded random"}
	if err := row.Describe(plan); err != nil {
		t.Fatal(err)
	}
	return Subject{Row: row, Plan: plan, Open: func() (engine.Runner, error) { return r, nil }}
}

// options returns options with a fake clock and an idle machine of 2 cores.
func options(clock *fakeClock, runs int) Options {
	return Options{Runs: runs, Duration: time.Second, Warmup: -1, now: clock.now,
		load: func() (Load, bool) { return Load{Cores: 2}, true }}
}

func ms(values ...float64) []time.Duration {
	var d []time.Duration
	for _, v := range values {
		d = append(d, time.Duration(v*1e6))
	}
	return d
}
