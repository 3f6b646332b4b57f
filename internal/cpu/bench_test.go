package cpu

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

// BenchmarkRun is for work on the engine; `repvgg bench` measures for users.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		name       string
		form       model.Form
		n, threads int
		precision  engine.Precision
	}{
		{"repvgg-A0", model.Deploy, 32, 2, engine.FP32}, {"repvgg-A0", model.Deploy, 8, 2, engine.FP32}, {"repvgg-A0", model.Deploy, 1, 2, engine.FP32}, {"repvgg-A0", model.Deploy, 8, 1, engine.FP32},
		{"repvgg-A0", model.Train, 32, 2, engine.FP32}, {"repvgg-A0", model.Train, 1, 2, engine.FP32},
		{"repvgg-B1", model.Deploy, 32, 2, engine.FP32}, {"repvgg-B1", model.Deploy, 1, 2, engine.FP32},
		{"repvgg-A0", model.Deploy, 32, 2, engine.BF16}, {"repvgg-A0", model.Deploy, 1, 2, engine.BF16}, {"repvgg-B1", model.Deploy, 8, 2, engine.BF16}, {"repvgg-B1g4", model.Deploy, 8, 2, engine.BF16},
	} {
		b.Run(fmt.Sprintf("%s-%v-n%d-t%d-%v", c.name, c.form, c.n, c.threads, c.precision), func(b *testing.B) {
			p := testkit.Zoo(b, strings.TrimPrefix(c.name, "repvgg-"), c.form)
			r, err := New(p, testkit.Weights(p, 1), Options{Threads: c.threads, Precision: c.precision, LowLatency: c.n == 1})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			src, dst := testkit.Images(c.n*3*224*224, 1), make([]float32, c.n*1000)
			r.trace(true)
			for b.Loop() {
				if err := r.Run(context.Background(), dst, src, c.n, 224, 224); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N*c.n), "ms/image")
			b.ReportMetric(float64(b.N*c.n)/b.Elapsed().Seconds(), "images/s")
			packed, total := r.memory()
			b.ReportMetric(float64(packed)/1e6, "MB-packed")
			b.ReportMetric(float64(total-packed)/1e6, "MB-beside")
			if testing.Verbose() {
				for _, l := range r.layerTimes() {
					b.Logf("%-28s %-16s %8.1f us/image", l.Name, l.Algorithm, l.Time.Seconds()*1e6/float64(b.N*c.n))
				}
			}
		})
	}
}
