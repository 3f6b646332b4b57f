package app

import (
	"context"
	"errors"
	"math"
	"repvgg/internal/bench"
	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
	"testing"
)

// With random weights, activations must keep their size from the first layer to the
// last, as in a trained network.
func TestBenchWeightsAreLively(t *testing.T) {
	for _, name := range []string{"A0", "B1g4", "D2se"} {
		plan := testkit.Zoo(t, name, model.Train)
		// The last stages of the larger networks are slow, and the blocks before them are
		// enough.
		plan.Blocks = plan.Blocks[:min(len(plan.Blocks), 24)-2]
		plan.Depth, plan.Head = len(plan.Blocks), nil
		for _, form := range []model.Form{model.Train, model.Deploy} {
			plan := plan.As(form)
			const side = 64
			r, err := cpu.New(plan, bench.RandomWeights(plan), cpu.Options{Height: side, Width: side, LowLatency: true})
			if err != nil {
				t.Fatal(err)
			}
			src, dst := make([]float32, 3*side*side), make([]float32, plan.OutLen(side, side))
			for i := range src {
				src[i] = float32(math.Sin(float64(i)*float64(i))) * 1.4
			}
			if err := r.Run(t.Context(), dst, src, 1, side, side); err != nil {
				t.Fatal(err)
			}
			r.Close()
			sum, zeros := 0.0, 0
			for _, v := range dst {
				sum += float64(v) * float64(v)
				if v == 0 {
					zeros++
				}
			}
			// ReLU sets about half of the values to 0.
			size, share := math.Sqrt(sum/float64(len(dst))), float64(zeros)/float64(len(dst))
			if !(size > 0.01 && size < 100) || share < 0.1 || share > 0.9 {
				t.Errorf("%s, %v: root mean square %.3g, %.0f %% zeros", name, form, size, 100*share)
			}
		}
	}
}

// TestInterruptedPacking checks that packing weights stops when the context ends.
func TestInterruptedPacking(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Bench(ctx, Benchmark{Configs: []string{"repvgg-A0"}, BatchSizes: []int{1}, Precisions: []engine.Precision{engine.FP32}, InputSize: 32, Measure: bench.Options{Runs: 1}}, Host{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
