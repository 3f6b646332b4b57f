package model

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"repvgg/internal/tensor"
)

// branchOf returns a branch with a kernel of h x w, or the identity if h is 0.
func branchOf(name string, c Conv, h, w int) Branch {
	b := Branch{Name: name, Norm: &Norm{Name: name + ".bn", Eps: 1e-5}}
	if h > 0 {
		k := c.Kernel(h, w)
		b.Conv, b.Weight = &k, name+".weight"
	}
	return b
}

// randomValues returns random values for all tensors of a plan.
func randomValues(rng *rand.Rand, p *Plan) tensor.Map {
	values, variances := make(tensor.Map), p.Variances()
	for _, spec := range p.Tensors() {
		v := make([]float32, spec.Numel())
		for i := range v {
			if v[i] = float32(rng.NormFloat64()); variances[spec.Name] {
				v[i] = v[i]*v[i] + 0.1
			}
		}
		values[spec.Name] = v
	}
	return values
}

// TestFold compares the folded kernels of random branches with their sum in
// float64. Each term may have a few rounding errors.
func TestFold(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		groups := 1 + rng.IntN(3)
		c := Conv{In: groups * (1 + rng.IntN(4)), KernelH: 3, KernelW: 3, PadH: 1, PadW: 1, Stride: 1, Dilation: 1, Groups: groups}
		c.Out = c.In
		b := Block{Name: "b", Conv: c, Weight: "w", Bias: "bias"}
		kernels := [][2]int{{3, 3}, {1, 1}, {1, 3}, {3, 1}, {0, 0}}
		rng.Shuffle(len(kernels), func(i, j int) { kernels[i], kernels[j] = kernels[j], kernels[i] })
		for i, k := range kernels[:1+rng.IntN(5)] {
			branch := branchOf(string(rune('a'+i)), c, k[0], k[1])
			if rng.IntN(4) == 0 && branch.Conv != nil {
				branch.Norm, branch.Bias = nil, branch.Name+".bias"
			}
			b.Branches = append(b.Branches, branch)
		}
		p := &Plan{InChannels: c.In, Blocks: []Block{b}, Depth: 1}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		values := randomValues(rng, p)
		want, scale := wantFolded(t, &b, values)
		deploy := Fold(p, values)
		for _, spec := range p.As(Deploy).Tensors() {
			// Read in two halves: rows do not depend on their neighbours.
			got := make([]float32, spec.Numel())
			half := spec.Rows() / 2
			if err := deploy.Rows(got[:half*spec.RowLen()], spec, 0, half); err != nil {
				t.Fatal(err)
			}
			if err := deploy.Rows(got[half*spec.RowLen():], spec, half, spec.Rows()); err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if !(math.Abs(float64(v)-want[spec.Name][i]) <= 1e-6*scale[spec.Name][i]) {
					t.Fatalf("%d branches: %s[%d] is %v, want %v", len(b.Branches), spec.Name, i, v, want[spec.Name][i])
				}
			}
		}
	}
}

// wantFolded computes the fold of a block from its definition, and the sums of the
// absolute terms.
func wantFolded(t *testing.T, b *Block, values tensor.Map) (want, scale map[string][]float64) {
	t.Helper()
	in, row := b.In/b.Groups, b.In/b.Groups*9
	want = map[string][]float64{"w": make([]float64, b.Out*row), "bias": make([]float64, b.Out)}
	scale = map[string][]float64{"w": make([]float64, b.Out*row), "bias": make([]float64, b.Out)}
	add := func(name string, i int, v float64) {
		want[name][i] += v
		scale[name][i] += math.Abs(v)
	}
	for j := range b.Branches {
		branch := &b.Branches[j]
		for c := range b.Out {
			gain := 1.0
			if n := branch.Norm; n != nil {
				gain = float64(values[n.Gamma()][c]) / math.Sqrt(float64(values[n.Var()][c])+n.Eps)
				add("bias", c, float64(values[n.Beta()][c]))
				add("bias", c, -float64(values[n.Mean()][c])*gain)
			}
			if branch.Bias != "" {
				add("bias", c, float64(values[branch.Bias][c])*gain)
			}
			if branch.Identity() {
				add("w", c*row+c%in*9+4, gain)
				continue
			}
			h, w := branch.Conv.KernelH, branch.Conv.KernelW
			for i := range in {
				for y := range h {
					for x := range w {
						add("w", c*row+i*9+((3-h)/2+y)*3+(3-w)/2+x, gain*float64(values[branch.Weight][((c*in+i)*h+y)*w+x]))
					}
				}
			}
		}
	}
	return want, scale
}

// TestFoldZeroSigns checks that zeros have the same signs as in the frameworks.
// Adding the 0 of a branch that has no weight at a position turns -0 into 0. An
// identity with a negative scale has negative zeros, and 0 + -0 is 0.
func TestFoldZeroSigns(t *testing.T) {
	minus := float32(math.Copysign(0, -1))
	for _, gamma := range []float32{0, -2, 2} { // the identity's; 0 means no identity
		c := Conv{In: 2, Out: 2, KernelH: 3, KernelW: 3, PadH: 1, PadW: 1, Stride: 1, Dilation: 1, Groups: 1}
		b := Block{Name: "b", Conv: c, Weight: "w", Bias: "bias", Branches: []Branch{branchOf("three", c, 3, 3), branchOf("one", c, 1, 1)}}
		if gamma != 0 {
			b.Branches = append(b.Branches, branchOf("id", c, 0, 0))
		}
		p := &Plan{InChannels: 2, Blocks: []Block{b}, Depth: 1}
		values := make(tensor.Map)
		for _, spec := range p.Tensors() {
			v := make([]float32, spec.Numel())
			for i := range v {
				switch {
				case strings.HasSuffix(spec.Name, "running_var") || strings.HasSuffix(spec.Name, "bn.weight"):
					v[i] = 1
				case strings.HasSuffix(spec.Name, "running_mean"):
				default:
					v[i] = minus
				}
			}
			values[spec.Name] = v
		}
		if gamma != 0 {
			values["id.bn.weight"] = []float32{gamma, gamma}
		}
		got, err := tensor.Load(Fold(p, values), b.WeightSpec())
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got[:18] {
			if i == 4 && gamma != 0 {
				continue // the identity's weight
			}
			// Only at the centre of other input channels are the identity's zeros the only
			// terms besides the two -0 of the convolutions.
			wantMinus := i == 13 && gamma < 0
			if v != 0 || math.Signbit(float64(v)) != wantMinus {
				t.Errorf("identity %v: value %d is %v (negative: %v)", gamma, i, v, math.Signbit(float64(v)))
			}
		}
		if gamma != 0 {
			continue
		}
		bias, err := tensor.Load(Fold(p, values), b.BiasSpec())
		if err != nil || math.Signbit(float64(bias[0])) {
			t.Errorf("a bias of zeros is %v, %v", bias, err)
		}
	}
}

// TestFoldCommon checks that the single pass for RepVGG's branches gives the same
// bits as the steps for any branches, including the signs of zeros.
func TestFoldCommon(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		groups := 1 + rng.IntN(3)
		c := Conv{In: groups * (1 + rng.IntN(4)), KernelH: 3, KernelW: 3, PadH: 1, PadW: 1, Stride: 1, Dilation: 1, Groups: groups}
		c.Out = c.In
		b := Block{Name: "b", Conv: c, Weight: "w", Bias: "bias", Branches: []Branch{branchOf("three", c, 3, 3), branchOf("one", c, 1, 1)}}
		if rng.IntN(2) == 0 {
			b.Branches = append(b.Branches, branchOf("id", c, 0, 0))
		}
		p := &Plan{InChannels: c.In, Blocks: []Block{b}, Depth: 1}
		values := randomValues(rng, p)
		for _, v := range values {
			for i := range v {
				if rng.IntN(3) == 0 {
					v[i] = float32(math.Copysign(0, float64(rng.IntN(2))-0.5))
				}
			}
		}
		got, err := tensor.Load(Fold(p, values), b.WeightSpec())
		if err != nil {
			t.Fatal(err)
		}
		steps := &folded{src: values}
		if err := steps.readNorms(&b); err != nil {
			t.Fatal(err)
		}
		want := make([]float32, len(got))
		if err := steps.weightBySteps(&b, want, 0, c.Out); err != nil {
			t.Fatal(err)
		}
		for i, v := range want {
			if math.Float32bits(got[i]) != math.Float32bits(v) {
				t.Fatalf("%d branches, %d groups: value %d is %v, by steps %v", len(b.Branches), groups, i, got[i], v)
			}
		}
	}
}
