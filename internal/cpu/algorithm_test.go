package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

func TestChoose(t *testing.T) {
	a0, b3 := testkit.Zoo(t, "A0", model.Deploy), testkit.Zoo(t, "B3", model.Deploy)
	const plenty = 1 << 40
	batches := choose(a0, Options{packedBytes: plenty})
	if len(batches) != 22 {
		t.Fatalf("%d algorithms: %v", len(batches), batches)
	}
	for i, a := range batches {
		stride, side := a0.Blocks[i].Stride, 224
		for _, b := range a0.Blocks[:i+1] {
			side, _ = b.OutSize(side, side)
		}
		switch {
		case stride == 2 && a != direct:
			t.Errorf("layer %d has stride 2, but takes F(%d, 3)", i, a.m)
		case stride == 1 && side == 14 && a.m != 5:
			t.Errorf("layer %d has 14x14 outputs, but takes F(%d, 3), which computes more of them", i, a.m)
		case stride == 1 && side > 14 && a.m != 4:
			t.Errorf("layer %d has %dx%d outputs, but takes F(%d, 3)", i, side, side, a.m)
		}
	}
	single := choose(a0, Options{packedBytes: plenty, LowLatency: true})
	if slices.Equal(single, batches) || !slices.Contains(single, algorithm{m: 2}) {
		t.Errorf("single images take %v: the weights of large tiles are read for one image", single)
	}
	if got := choose(a0, Options{packedBytes: plenty, Precision: engine.BF16}); !slices.Contains(got, directBF16) || got[0] != direct {
		t.Errorf("in bf16: %v", got)
	}
	// Each smaller limit takes smaller tiles, the last one direct sums.
	last := int64(plenty)
	for _, limit := range []int64{plenty, 1500 << 20, 1 << 30, 1 << 20} {
		_, size := chooseFrom([]algorithm{direct}, b3, Options{})
		chosen := choose(b3, Options{packedBytes: limit})
		total := int64(0)
		h := 224
		for i := range b3.Blocks {
			h, _ = b3.Blocks[i].OutSize(h, h)
			_, bytes := cost(b3.Blocks[i].Conv, chosen[i], h, h, maxGroup, false)
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
	p := testkit.Plans(model.Deploy)["plain"]
	values := testkit.Weights(p, 1)
	ref := testkit.Network{Plan: p, Values: values}
	sizes := map[int64]bool{}
	for _, limit := range []int64{1, 1 << 40} {
		r, err := New(p, values, Options{Threads: 2, packedBytes: limit, variant: kernel.Variants()[0]})
		if err != nil {
			t.Fatal(err)
		}
		checkRun(t, r, ref, 2, 29, 31)
		packed, _ := r.memory()
		sizes[packed] = true
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
	all := []algorithm{direct, {m: 2}, {m: 4}, {m: 5}}
	if v.Has(kernel.BFloat16) {
		all = append(all, directBF16, winogradBF16)
	}
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for name, p := range testkit.Plans(form) {
			for seed := range uint64(12) {
				rng := rand.New(rand.NewPCG(seed, 4))
				chosen := make([]algorithm, len(p.Blocks))
				tolerance := netTolerance
				for i := range chosen {
					a := all[rng.IntN(len(all))]
					if seed == 0 && v.Has(kernel.BFloat16) {
						a = directBF16 // one after the other
					}
					if a.m > 0 && !kernel.CanWinograd(p.Blocks[i].Conv) {
						a = direct
					}
					if a.elem == kernel.BFloat16 {
						tolerance = 2e-2
					}
					chosen[i] = a
				}
				r, err := New(p, testkit.Weights(p, seed), Options{Threads: 2, algorithms: chosen, variant: v})
				if err != nil {
					t.Fatal(err)
				}
				t.Run(fmt.Sprintf("%v/%s/%v", form, name, chosen), func(t *testing.T) {
					defer r.Close()
					for _, n := range []int{2, 9} {
						checkRunWithin(t, r, testkit.Network{Plan: p, Values: testkit.Weights(p, seed)}, n, 19, 23, tolerance)
					}
				})
			}
		}
	}
}
