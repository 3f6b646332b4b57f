package convert

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
)

// TestFuseChannel holds the fused kernels of random branches against the sum of
// the branches' kernels in float64: three roundings of half a unit in the last
// place of the largest term, at most.
func TestFuseChannel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		in := 1 + rng.IntN(6)
		channels := in * (1 + rng.IntN(3)) // of some groups
		c := rng.IntN(channels)
		vector := func(n int) []float32 {
			v := make([]float32, n)
			for i := range v {
				v[i] = float32(rng.NormFloat64())
			}
			return v
		}
		br := branches{
			conv3x3: &affine{scale: vector(channels)},
			conv1x1: &affine{scale: vector(channels)},
		}
		if rng.IntN(2) == 0 {
			br.identity = &affine{scale: vector(channels)}
		}
		kernels, centers := vector(in*9), vector(in)
		want, size := make([]float64, in*9), make([]float64, in*9)
		add := func(i int, v float64) { want[i] += v; size[i] += math.Abs(v) }
		for i := range want {
			add(i, float64(br.conv3x3.scale[c])*float64(kernels[i]))
			if i%9 == 4 {
				add(i, float64(br.conv1x1.scale[c])*float64(centers[i/9]))
				if br.identity != nil && i/9 == c%in {
					add(i, float64(br.identity.scale[c]))
				}
			}
		}
		br.fuseChannel(c, kernels, centers)
		for i, got := range kernels {
			if !(math.Abs(float64(got)-want[i]) <= size[i]*3*math.Pow(2, -24)) {
				t.Fatalf("channel %d, value %d is %v, want %v", c, i, got, want[i])
			}
		}
	}
}

// TestZeroSigns has the original's zeros: adding the 0 of a branch that has no
// weight there makes 0 of -0; where the identity's scale is negative its zeros
// are negative, and 0 + -0 is 0.
func TestZeroSigns(t *testing.T) {
	minus := float32(math.Copysign(0, -1))
	for _, identity := range []*affine{nil, {scale: []float32{-2, -2}}, {scale: []float32{2, 2}}} {
		br := branches{
			conv3x3:  &affine{scale: []float32{1, 1}, shift: []float32{minus, minus}},
			conv1x1:  &affine{scale: []float32{1, 1}, shift: []float32{minus, minus}},
			identity: identity,
		}
		kernels := make([]float32, 18)
		for i := range kernels {
			kernels[i] = minus
		}
		br.fuseChannel(0, kernels, []float32{minus, minus})
		for i, v := range kernels {
			if i == 4 && identity != nil {
				continue // the identity's weight
			}
			// Only at the center of another input channel does nothing but the
			// identity's own zero join the two -0 of the convolutions.
			wantMinus := i == 13 && identity != nil && identity.scale[0] < 0
			if v != 0 || math.Signbit(float64(v)) != wantMinus {
				t.Errorf("identity %v: value %d is %v (negative: %v)", identity, i, v, math.Signbit(float64(v)))
			}
		}
		if identity == nil {
			bias := make([]float32, 2)
			br.bias(bias)
			if math.Signbit(float64(bias[0])) {
				t.Error("a bias of three zeros is -0")
			}
		}
	}
}

// TestCancelled stops a conversion before its first block.
func TestCancelled(t *testing.T) {
	src, err := checkpoint.Open("../../testdata/checkpoints/ok/train.pth")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	plan := &model.Plan{Blocks: []model.Block{{Name: "backbone.stem", In: 3, Out: 4, Stride: 2, Groups: 1, Dilation: 1}}}
	err = WriteDeploy(ctx, plan, src, filepath.Join(dir, "x.pth"), MMClassification, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v behind", left)
	}
}
