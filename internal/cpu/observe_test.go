package cpu

import (
	"context"
	"fmt"
	"testing"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

// Each layer's output, of each image, once, whoever computes it.
func TestObserve(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for name, p := range testkit.Plans(form) {
			for _, n := range []int{1, 4, 5} { // together; one by one; in groups of which one is smaller
				t.Run(fmt.Sprintf("%v/%s/%d", form, name, n), func(t *testing.T) {
					testObserve(t, p, n, Options{Threads: 2}, netTolerance)
				})
			}
		}
	}
}

// Maps that are kept in bfloat16 come as float32.
func TestObserveBF16(t *testing.T) {
	v := kernel.Variants()[0]
	if !v.Has(kernel.BFloat16) {
		t.Skip("this machine has no bf16 instructions")
	}
	p := testkit.Plans(model.Deploy)["repeated"]
	testObserve(t, p, 3, Options{Threads: 2, variant: v, algorithms: []algorithm{direct, directBF16, directBF16, directBF16}}, 2e-2)
}

func testObserve(t *testing.T, p *model.Plan, n int, opts Options, tolerance float64) {
	const h, w = 24, 21 // the first maps are large enough to be taken one by one
	values := testkit.Weights(p, 1)
	in := p.InChannels * h * w
	src := testkit.Images(n*in, 2)
	seen := make([][]bool, p.Depth)
	for i := range seen {
		seen[i] = make([]bool, n)
	}
	opts.Observe = func(a Activation) {
		b := &p.Blocks[a.Layer]
		// The reference is the network that ends here.
		part := *p
		part.Depth, part.Head = a.Layer+1, nil
		oh, ow := part.OutSize(h, w)
		if a.Name != b.Name || a.Channels != b.Out || a.H != oh || a.W != ow {
			t.Errorf("layer %d: got %q, %d channels of %dx%d, want %q, %d of %dx%d", a.Layer, a.Name, a.Channels, a.H, a.W, b.Name, b.Out, oh, ow)
			return
		}
		got := a.Values()
		for i := range a.N {
			image := a.Image + i
			if seen[a.Layer][image] {
				t.Errorf("layer %d: image %d comes twice", a.Layer, image)
			}
			seen[a.Layer][image] = true
			want := testkit.Network{Plan: &part, Values: values}.Image(src[image*in:][:in], h, w)
			if e := largestError(got[i*len(want):][:len(want)], want); !(e <= tolerance) {
				t.Errorf("layer %d: image %d is off by %v of its largest value", a.Layer, image, e)
			}
		}
	}
	results := make([]float32, n*p.OutLen(h, w))
	run := func(opts Options) []float32 {
		r, err := New(p, values, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := r.Run(context.Background(), results, src, n, h, w); err != nil {
			t.Fatal(err)
		}
		return results
	}
	observed := append([]float32(nil), run(opts)...)
	for layer := range seen {
		for image, ok := range seen[layer] {
			if !ok {
				t.Errorf("layer %d: image %d does not come", layer, image)
			}
		}
	}
	opts.Observe = nil
	if !sameBits(observed, run(opts)) {
		t.Error("results differ from those of a run that is not observed")
	}
}
