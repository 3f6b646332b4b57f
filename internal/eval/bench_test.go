package eval

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"repvgg/internal/dataset"
	"repvgg/internal/engine"
	"repvgg/internal/preprocess"
)

// nothing is a runner that takes no time.
type nothing struct{}

func (nothing) Capabilities() engine.Capabilities { return engine.Capabilities{} }

func (nothing) Close() error { return nil }

func (nothing) Run(context.Context, []float32, []float32, int, int, int) error { return nil }

// BenchmarkInput measures the usual pipeline on all cores, without a network.
// testdata/input_bench.py does the same in Python. REPVGG_BENCH_IMAGES names the
// folder of the images.
func BenchmarkInput(b *testing.B) {
	folder := os.Getenv("REPVGG_BENCH_IMAGES")
	if folder == "" {
		folder = "../../testdata/preprocess/images"
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.[jJ]*"))
	if err != nil || len(paths) == 0 {
		b.Fatalf("no JPEG files in %q: %v", folder, err)
	}
	var samples []dataset.Sample
	for len(samples) < 1000 {
		for _, p := range paths {
			samples = append(samples, dataset.Sample{Name: filepath.Base(p), Path: p})
		}
	}
	p := filePipeline(b,
		preprocess.Resize{Side: "short", Length: 256, Backend: "pillow", Interpolation: "bilinear"}, crop(224),
		preprocess.Normalize{Mean: []float64{123.675, 116.28, 103.53}, Std: []float64{58.395, 57.12, 57.375}, ToRGB: true})
	for _, profiled := range []bool{false, true} {
		name := "plain"
		if profiled {
			name = "profiled"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var sum Profile
			for b.Loop() {
				var one Profile
				opts := Options{BatchSize: 32, Classes: 1}
				if profiled {
					opts.Profile = &one
				}
				if _, err := Predict(b.Context(), nothing{}, p, samples, opts); err != nil {
					b.Fatal(err)
				}
				sum.Add(one)
			}
			b.ReportMetric(float64(len(samples)*b.N)/b.Elapsed().Seconds(), "images/s")
			if profiled {
				sum.Workers /= b.N
				b.Log("\n" + sum.String())
			}
		})
	}
}
