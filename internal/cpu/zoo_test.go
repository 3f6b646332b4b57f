package cpu

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// zooTolerance is the difference of logits from the float64 reference, relative
// to an image's largest, that any published variant may have.
const zooTolerance = 1e-4

// livelyWeights are values for a plan of any size, quickly: with them, a block's
// output is about as large as its input, as after training, and each branch of
// the train form matters. Their random numbers recur, at another place in each
// tensor.
func livelyWeights(p *model.Plan) tensor.Map {
	rng := rand.New(rand.NewPCG(7, 7))
	noise := make([]float32, 1<<20-3)
	for i := range noise {
		noise[i] = 2*rng.Float32() - 1
	}
	values := make(tensor.Map)
	for _, spec := range p.Tensors() {
		base, span := float32(0), float32(0.2)
		switch {
		case strings.HasSuffix(spec.Name, "norm.weight"):
			base, span = 0.6, 0.3
		case strings.HasSuffix(spec.Name, "running_var"):
			base, span = 1, 0.5
		case len(spec.Shape) > 1:
			span = float32(math.Sqrt(6 / float64(tensor.Numel(spec.Shape[1:]))))
		}
		v := make([]float32, spec.Numel())
		from := noise[rng.IntN(len(noise)):]
		for i := 0; i < len(v); {
			n := min(len(v)-i, len(from))
			for j, x := range from[:n] {
				v[i+j] = base + span*x
			}
			i, from = i+n, noise
		}
		values[spec.Name] = v
	}
	return values
}

// logitsError runs one image and returns the largest difference from the
// reference relative to its largest logit.
func logitsError(t *testing.T, r *Runner, values tensor.Map, size int) float64 {
	t.Helper()
	p := r.plan
	src, dst := testkit.Images(3*size*size, 1), make([]float32, p.OutLen(size, size))
	if err := r.Run(context.Background(), dst, src, 1, size, size); err != nil {
		t.Fatal(err)
	}
	return largestError(dst, testkit.Network{Plan: p, Values: values}.Image(src, size, size))
}

// The published networks, with the algorithms that they have at 224x224.
func TestZooMatchesReference(t *testing.T) {
	if testing.Short() {
		t.Skip("packs weights of 3 GB")
	}
	check := func(name string, form model.Form, size int) {
		t.Run(fmt.Sprintf("%v/%s", form, name), func(t *testing.T) {
			defer runtime.GC() // the next one needs the memory
			p := testkit.Zoo(t, strings.TrimPrefix(name, "repvgg-"), form)
			values := livelyWeights(p)
			r := newRunner(t, p, values)
			e := logitsError(t, r, values, size)
			packed, _ := r.memory()
			t.Logf("%dx%d: %.2g of the largest logit; %d MB packed", size, size, e, packed>>20)
			if !(e <= zooTolerance) {
				t.Errorf("%dx%d: off by %v of the largest logit", size, size, e)
			}
		})
	}
	for _, row := range repvgg.Zoo() {
		size := 64
		if row.Name[7] != 'A' {
			size = 32
		}
		check(row.TrainConfig, model.Deploy, size)
	}
	for _, name := range []string{"repvgg-A0", "repvgg-B1g4", "repvgg-D2se"} {
		check(name, model.Train, 32)
	}
}

// The algorithms for single images are as exact, and give the same bits however
// images come.
func TestLowLatency(t *testing.T) {
	p := testkit.Zoo(t, "A0", model.Deploy)
	values := livelyWeights(p)
	const n, size = 9, 40
	src := testkit.Images(n*3*size*size, 1)
	var want []float32
	for _, threads := range []int{1, 2} {
		r, err := New(p, values, Options{Threads: threads, Height: size, Width: size, LowLatency: true})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if e := logitsError(t, r, values, size); !(e <= zooTolerance) {
			t.Errorf("%d threads: off by %v of the largest logit", threads, e)
		}
		for _, batch := range []int{1, n} {
			got := make([]float32, n*1000)
			for i := 0; i < n; i += batch {
				if err := r.Run(context.Background(), got[i*1000:][:batch*1000], src[i*3*size*size:][:batch*3*size*size], batch, size, size); err != nil {
					t.Fatal(err)
				}
			}
			if want == nil {
				want = got
			}
			if !sameBits(got, want) {
				t.Errorf("%d threads, batches of %d: not the bits of single images with one thread", threads, batch)
			}
		}
	}
}
