package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/reference"
)

func TestChoose(t *testing.T) {
	a0, b3 := zoo(t, "repvgg-A0", model.Deploy), zoo(t, "repvgg-B3", model.Deploy)
	const plenty = 1 << 40
	batches := choose(a0, Options{packedBytes: plenty})
	if len(batches) != 22 {
		t.Fatalf("%d algorithms: %v", len(batches), batches)
	}
	for i, m := range batches {
		stride, side := a0.Blocks[i].Stride, 224
		for _, b := range a0.Blocks[:i+1] {
			side = b.OutSize(side)
		}
		switch {
		case stride == 2 && m != direct:
			t.Errorf("layer %d has stride 2, but takes F(%d, 3)", i, m)
		case stride == 1 && side == 14 && m != 5:
			t.Errorf("layer %d has 14x14 outputs, but takes F(%d, 3), which computes more of them", i, m)
		case stride == 1 && side > 14 && m != 4:
			t.Errorf("layer %d has %dx%d outputs, but takes F(%d, 3)", i, side, side, m)
		}
	}
	single := choose(a0, Options{packedBytes: plenty, LowLatency: true})
	if slices.Equal(single, batches) || !slices.Contains(single, 2) {
		t.Errorf("single images take %v: the weights of large tiles are read for one image", single)
	}
	if got := choose(a0, Options{packedBytes: plenty, Precision: BF16}); !slices.Contains(got, directBF16) || got[0] != direct {
		t.Errorf("in bf16: %v", got)
	}
	// Each smaller limit takes smaller tiles, the last one direct sums.
	last := int64(plenty)
	for _, limit := range []int64{plenty, 1500 << 20, 1 << 30, 1 << 20} {
		_, size := chooseFrom([]int{direct}, b3, Options{})
		chosen := choose(b3, Options{packedBytes: limit})
		total := int64(0)
		h := 224
		for i := range b3.Blocks {
			h = b3.Blocks[i].OutSize(h)
			_, bytes := cost(conv3x3(&b3.Blocks[i]), chosen[i], h, h, maxGroup, false)
			total += bytes
		}
		if total > limit && total != size || total > last {
			t.Errorf("with %d MB, weights take %d MB", limit>>20, total>>20)
		}
		last = total
	}
}

// A limit changes what is packed, and nothing that matters of the results.
func TestPackedLimit(t *testing.T) {
	p := reference.Plans(model.Deploy)["plain"]
	values := reference.Weights(p, 1)
	ref := reference.Network{Plan: p, Values: values}
	sizes := map[int64]bool{}
	for _, limit := range []int64{1, 1 << 40} {
		r, err := New(p, reference.Source(values), Options{Threads: 2, packedBytes: limit, variant: kernel.Variants()[0]})
		if err != nil {
			t.Fatal(err)
		}
		checkRun(t, r, ref, 2, 29, 31)
		sizes[r.PackedBytes()] = true
		r.Close()
	}
	if len(sizes) != 2 {
		t.Errorf("packed weights take as much with as without a limit: %v", sizes)
	}
}

// Every algorithm must do in every place: maps go from one to the next in its
// layout and element type.
func TestMixedAlgorithms(t *testing.T) {
	v := kernel.Variants()[0]
	all := []int{direct, 2, 4, 5}
	if v.BF16() {
		all = append(all, directBF16, winogradBF16)
	}
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for name, p := range reference.Plans(form) {
			for seed := range uint64(12) {
				rng := rand.New(rand.NewPCG(seed, 4))
				chosen := make([]int, len(p.Blocks))
				tolerance := netTolerance
				for i := range chosen {
					m := all[rng.IntN(len(all))]
					if seed == 0 && v.BF16() {
						m = directBF16 // one after the other
					}
					if m != directBF16 && !kernel.CanWinograd(conv3x3(&p.Blocks[i])) {
						m = direct
					}
					if m < direct {
						tolerance = 2e-2
					}
					chosen[i] = m
				}
				r, err := New(p, reference.Source(reference.Weights(p, seed)), Options{Threads: 2, algorithms: chosen, variant: v})
				if err != nil {
					t.Fatal(err)
				}
				t.Run(fmt.Sprintf("%v/%s/%v", form, name, chosen), func(t *testing.T) {
					defer r.Close()
					for _, n := range []int{2, 9} {
						checkRunWithin(t, r, reference.Network{Plan: p, Values: reference.Weights(p, seed)}, n, 19, 23, tolerance)
					}
				})
			}
		}
	}
}
