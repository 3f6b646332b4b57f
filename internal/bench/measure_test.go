package bench

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"repvgg/internal/engine"
	"repvgg/internal/model"
)

// The expected values are from numpy.percentile with linear interpolation.
func TestSummarize(t *testing.T) {
	s := summarize([]float64{10, 11, 12, 13, 14, 20, 19, 18, 17, 16, 15})
	want := summary{median: 15, p10: 11, p90: 19, spread: 8.0 / 15, drift: 17.0/12 - 1}
	if math.Abs(s.median-want.median)+math.Abs(s.p10-want.p10)+math.Abs(s.p90-want.p90)+math.Abs(s.spread-want.spread)+math.Abs(s.drift-want.drift) > 1e-12 {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if got := quantile([]float64{1, 2, 4}, 0.75); got != 3 {
		t.Errorf("quantile is %v, want 3", got)
	}
	if one := summarize([]float64{7}); one.median != 7 || one.p10 != 7 || one.p90 != 7 || one.drift != 0 {
		t.Errorf("one run gives %+v", one)
	}
}

func TestNoiseIsSaid(t *testing.T) {
	for _, test := range []struct {
		name string
		runs []float64
		want string
	}{
		{"quiet", []float64{100, 101, 99, 100, 100, 101, 99, 100}, ""},
		{"spread", []float64{100, 130, 100, 130, 100, 130, 100, 130}, "spread over 26 % of the median"},
		{"drift", []float64{100, 100, 100, 107, 107, 107}, "second half of the runs was 7 % slower"},
		{"speeding up", []float64{107, 107, 107, 100, 100, 100}, "second half of the runs was 7 % faster"},
	} {
		got := strings.Join(summarize(test.runs).noise(), "; ")
		if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// Both forms take turns, the warm-up is separate, and the row's figures follow from
// the times.
func TestMeasure(t *testing.T) {
	clock := &fakeClock{}
	var log []string
	plan := planOfA0(t)
	train := &fakeRunner{clock: clock, took: ms(100, 50, 40, 40, 40, 40), log: &log, name: "t"}
	deploy := &fakeRunner{clock: clock, took: ms(30, 30, 30, 30, 30, 30, 20), log: &log, name: "d"}
	opts := options(clock, 12)
	opts.Layers = true
	opts.Peak = func(string, int) float64 { return 1000 }
	rows, err := Measure(context.Background(), []Subject{
		subject(t, "A0", plan, train), subject(t, "A0", plan.As(model.Deploy), deploy),
	}, opts)
	if err != nil {
		t.Fatal(err)
	}
	// Train: the medians of runs 1 to 3 and 4 to 6 are 50 and 40; of 2 to 4 and
	// 5 to 7 both are 40.
	wantLog := strings.Repeat("t", 7) + strings.Repeat("d", 6) + strings.Repeat("ttdd", 6) + strings.Repeat("t", 10) + strings.Repeat("d", 10)
	if got := strings.Join(log, ""); got != wantLog {
		t.Errorf("runs were\n%s, want\n%s", got, wantLog)
	}
	r := rows[1]
	if *r.LatencyMSMedian != 20 || r.Runs != 12 || r.WarmupRuns != 6 || *r.ImagesPerSecond != 100 || *r.SpeedupOverTrain != 2 || rows[0].SpeedupOverTrain != nil {
		t.Errorf("row is %+v", r)
	}
	if *r.Noisy || len(r.Notes) > 0 || !slices.Equal(r.LatencyMSRounds, []float64{20, 20, 20, 20, 20, 20}) || r.Kernels != "fake" {
		t.Errorf("row is %+v", r)
	}
	// The convolutions' multiply-adds of A0 at 224 are in the published count
	// (reference: 1,360,171,008 + 1000 x 1280 for the head); at 32 x 32 the maps
	// have (1/7)^2 of the pixels.
	if want := 1360171008.0/49/1e9 + 0.00128; math.Abs(r.MACsGiga-want) > 1e-9 {
		t.Errorf("MACs are %v G, want %v", r.MACsGiga, want)
	}
	if want := 2 * r.MACsGiga * 100; math.Abs(*r.GFLOPSPerSecond-want) > 1e-9 || math.Abs(*r.PeakShare-want/1000) > 1e-12 {
		t.Errorf("%v GFLOP/s, share %v", *r.GFLOPSPerSecond, *r.PeakShare)
	}
	if *r.PackedWeightsMB != 0.25 {
		t.Errorf("packed weights take %v MB", *r.PackedWeightsMB)
	}
	if mb := 1 + 4*2*(3*32*32+1000)/1e6; math.Abs(*r.PeakMemoryMB-mb) > 1e-9 {
		t.Errorf("memory is %v, want %v", *r.PeakMemoryMB, mb)
	}
	if len(r.Layers) != 2 || r.Layers[0].TimeMS != 0.5 || deploy.traced {
		t.Errorf("layers are %+v", r.Layers)
	}
	// 9*3*48 weights at 16 x 16 pixels, 2 images, 2 operations, in 0.5 ms.
	if got, want := *r.Layers[0].GFLOPSPerSecond, 9*3*48*16*16*2*2/0.5e-3/1e9; math.Abs(got-want) > 1e-9 {
		t.Errorf("the stem does %v GFLOP/s, want %v", got, want)
	}
}

func TestMeasureForDuration(t *testing.T) {
	clock := &fakeClock{}
	opts := options(clock, -1)
	opts.Warmup = 3
	quick := &fakeRunner{clock: clock, took: ms(10)}
	slow := &fakeRunner{clock: clock, took: ms(4000)}
	plan := planOfA0(t)
	rows, err := Measure(context.Background(), []Subject{subject(t, "quick", plan, quick), subject(t, "slow", plan, slow)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	// A sixth of a second has room for 17 runs of 10 ms. A slow row gets one run per
	// round.
	if rows[0].Runs != 6*17 || rows[0].WarmupRuns != 3 || rows[1].Runs != 6 {
		t.Errorf("%d and %d runs after %d", rows[0].Runs, rows[1].Runs, rows[0].WarmupRuns)
	}
}

// queuer is a device that takes 4 ms per queued run.
type queuer struct{ *fakeRunner }

func (q queuer) Capabilities() engine.Capabilities {
	c := q.fakeRunner.Capabilities()
	c.RunQueued = q.runQueued
	return c
}

func (q queuer) runQueued(ctx context.Context, _, _ []float32, _, _, _, times int) error {
	q.clock.at = q.clock.at.Add(time.Duration(times) * 4 * time.Millisecond)
	return ctx.Err()
}

// TestMeasureQueue checks that images per second come from the faster of single and
// queued runs.
func TestMeasureQueue(t *testing.T) {
	plan := planOfA0(t)
	for took, want := range map[float64]float64{10: 500, 2: 1000} { // 2 images in 4 ms, in 2 ms
		for _, runs := range []int{12, -1} {
			clock := &fakeClock{}
			r := queuer{&fakeRunner{clock: clock, took: ms(took)}}
			rows, err := Measure(context.Background(), []Subject{subject(t, "A0", plan, r)}, options(clock, runs))
			if err != nil {
				t.Fatal(err)
			}
			if *rows[0].LatencyMSMedian != took || *rows[0].QueuedMSMedian != 4 || *rows[0].ImagesPerSecond != want {
				t.Errorf("runs of %v ms: %v ms, in a queue %v, %v images/s", took, *rows[0].LatencyMSMedian, *rows[0].QueuedMSMedian, *rows[0].ImagesPerSecond)
			}
		}
	}
}

// A warm-up that never becomes stable ends after Duration.
func TestWarmUpEnds(t *testing.T) {
	clock := &fakeClock{}
	var took []float64
	for i := range 100 {
		took = append(took, 100-float64(i))
	}
	rows, err := Measure(context.Background(), []Subject{subject(t, "x", planOfA0(t), &fakeRunner{clock: clock, took: ms(took...)})}, options(clock, 6))
	if err != nil || rows[0].WarmupRuns != 11 {
		t.Errorf("%d runs, %v", rows[0].WarmupRuns, err)
	}
}

func TestInterruptionKeepsRows(t *testing.T) {
	clock := &fakeClock{}
	ctx, cancel := context.WithCancel(context.Background())
	plan := planOfA0(t)
	rows, err := Measure(ctx, []Subject{
		subject(t, "first", plan, &fakeRunner{clock: clock, took: ms(10)}),
		subject(t, "second", plan, &fakeRunner{clock: clock, took: ms(10, 10, 10, 10, 10, 10, 10), cancel: cancel}),
	}, options(clock, 12))
	if !errors.Is(err, context.Canceled) || len(rows) != 1 || rows[0].Variant != "first" || !rows[0].Measured() {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// The load of other processes can't be measured within a few ticks of the clock
// that counts it. It is never more than the number of cores.
func TestCrowding(t *testing.T) {
	for _, test := range []struct {
		others float64
		wall   time.Duration
		want   string
	}{
		{1, time.Second, ""}, // one thread of ours and one of theirs on two cores
		{1.2, time.Second, "noisy: other processes kept 1.2 of the 2 cores busy"},
		{6.5, time.Second, "noisy: other processes kept 2.0 of the 2 cores busy"},
		{6.5, 199 * time.Millisecond, ""},
	} {
		if got := crowding(test.others, 1, 2, test.wall); got != test.want {
			t.Errorf("%v in %v: %q, want %q", test.others, test.wall, got, test.want)
		}
	}
}

// A row is kept if measuring its layers fails.
func TestInterruptedLayersKeepTheRow(t *testing.T) {
	clock := &fakeClock{}
	ctx, cancel := context.WithCancel(context.Background())
	opts := options(clock, 6)
	opts.Warmup, opts.Layers = 0, true
	opts.Peak = func(string, int) float64 { return 500 }
	rows, err := Measure(ctx, []Subject{
		subject(t, "x", planOfA0(t), &fakeRunner{clock: clock, took: ms(10, 10, 10, 10, 10, 10), cancel: cancel}),
	}, opts)
	if !errors.Is(err, context.Canceled) || len(rows) != 1 || rows[0].PeakShare == nil || rows[0].Runs != 6 || rows[0].Layers != nil {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestNothingIsOpenedWithoutRuns(t *testing.T) {
	s := subject(t, "A0", planOfA0(t), nil)
	s.Open = func() (engine.Runner, error) { return nil, errors.New("opened") }
	rows, err := Measure(context.Background(), []Subject{s}, Options{Runs: 0})
	if err != nil || len(rows) != 1 || rows[0].Measured() || rows[0].Noisy != nil {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestSlowMachineIsSaid(t *testing.T) {
	clock := &fakeClock{}
	plan := planOfA0(t)
	opts := options(clock, 6)
	peak := []float64{1000, 990, 1000, 880}
	opts.Peak = func(string, int) float64 { p := peak[0]; peak = peak[1:]; return p }
	busy := time.Duration(0)
	opts.load = func() (Load, bool) { busy += 300 * time.Millisecond; return Load{Cores: 1, Busy: busy}, true }
	rows, err := Measure(context.Background(), []Subject{
		subject(t, "a", plan, &fakeRunner{clock: clock, took: ms(1000)}), subject(t, "b", plan, &fakeRunner{clock: clock, took: ms(100)}),
	}, opts)
	if err != nil {
		t.Fatal(err)
	}
	// 300 ms of other work are within the limit over 6 s, but not over 600 ms.
	if *rows[0].Noisy || len(rows[0].Notes) > 0 {
		t.Errorf("the first row has notes %q", rows[0].Notes)
	}
	want := []string{"noisy: other processes kept 0.5 of the 1 cores busy", "noisy: during this measurement, the machine's peak was 12 % lower than at its best"}
	if !*rows[1].Noisy || !slices.Equal(rows[1].Notes, want) {
		t.Errorf("the second row has notes %q", rows[1].Notes)
	}
}

func TestResultsThatAreNotFinite(t *testing.T) {
	clock := &fakeClock{}
	rows, err := Measure(context.Background(), []Subject{subject(t, "x", planOfA0(t), &fakeRunner{clock: clock, took: ms(10), value: float32(math.NaN())})}, options(clock, 6))
	if err != nil || !strings.Contains(strings.Join(rows[0].Notes, ""), "not finite") {
		t.Errorf("%q, %v", rows[0].Notes, err)
	}
}
