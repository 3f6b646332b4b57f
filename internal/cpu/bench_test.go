package cpu

import (
	"context"
	"testing"

	"repvgg/internal/model"
)

// a0 is RepVGG-A0 for 1000 classes.
func a0(form model.Form) *model.Plan {
	blocks := []model.Block{block(3, 48, 2, 1, 1, 0)}
	for i, n := range []int{2, 4, 14, 1} {
		out := []int{48, 96, 192, 1280}[i]
		for j := range n {
			stride := 1
			if j == 0 {
				stride = 2
			}
			blocks = append(blocks, block(blocks[len(blocks)-1].Out, out, stride, 1, 1, 0))
		}
	}
	return net(form, 1000, blocks...)
}

func benchmarkA0(b *testing.B, form model.Form, n, threads int) {
	p := a0(form)
	r, err := New(p, fromMap(randomWeights(p, 1)), Options{Threads: threads})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	src, dst := randomImages(n*3*224*224, 1), make([]float32, n*1000)
	for b.Loop() {
		if err := r.Run(context.Background(), dst, src, n, 224, 224); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N*n), "ms/image")
}

func BenchmarkRunA0DeployBatch8(b *testing.B) { benchmarkA0(b, model.Deploy, 8, 2) }
func BenchmarkRunA0TrainBatch8(b *testing.B)  { benchmarkA0(b, model.Train, 8, 2) }
func BenchmarkRunA0DeployBatch1(b *testing.B) { benchmarkA0(b, model.Deploy, 1, 2) }
func BenchmarkRunA0TrainBatch1(b *testing.B)  { benchmarkA0(b, model.Train, 1, 2) }
func BenchmarkRunA0DeployOneThread(b *testing.B) {
	benchmarkA0(b, model.Deploy, 8, 1)
}
