package cpu

import (
	"math"
	"math/rand/v2"
	"strings"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// A network in float64 as its definition reads, to hold the Runner against.

// randomWeights are lively values for all tensors of a plan: means and
// variances as after training, so that no branch drowns in another.
func randomWeights(p *model.Plan, seed uint64) map[string][]float32 {
	rng := rand.New(rand.NewPCG(seed, 2))
	values := make(map[string][]float32)
	for _, spec := range p.Tensors() {
		v := make([]float32, spec.Numel())
		fanIn := 1
		for _, d := range spec.Shape[1:] {
			fanIn *= d
		}
		for i := range v {
			x := rng.NormFloat64()
			switch {
			case strings.HasSuffix(spec.Name, "running_var"):
				v[i] = float32(0.5 + math.Abs(x))
			case len(spec.Shape) > 1:
				v[i] = float32(x * math.Sqrt(2/float64(fanIn)))
			case strings.HasSuffix(spec.Name, "norm.weight"):
				v[i] = float32(1 + 0.3*x)
			default:
				v[i] = float32(0.5 * x)
			}
		}
		values[spec.Name] = v
	}
	return values
}

func fromMap(values map[string][]float32) Weights {
	return func(spec tensor.Spec) ([]float32, error) { return values[spec.Name], nil }
}

func randomImages(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

type reference struct {
	plan   *model.Plan
	values map[string][]float32
}

func (r reference) get(name string) []float64 { return widen(r.values[name]) }

// image runs one image.
func (r reference) image(x []float64, h, w int) []float64 {
	for i := range r.plan.Blocks[:r.plan.Depth] {
		b := &r.plan.Blocks[i]
		x = r.block(b, x, h, w)
		h, w = b.OutSize(h), b.OutSize(w)
	}
	if r.plan.Head == nil {
		return x
	}
	pooled := channelMeans(x, r.plan.Head.Features)
	out, _ := kernel.RefLinear(pooled, r.get(model.HeadWeight), r.get(model.HeadBias))
	return out
}

func (r reference) block(b *model.Block, x []float64, h, w int) []float64 {
	three := kernel.ConvShape{In: b.In, Out: b.Out, Kernel: 3, Stride: b.Stride, Pad: b.Dilation, Dilation: b.Dilation, Groups: b.Groups}
	one := kernel.ConvShape{In: b.In, Out: b.Out, Kernel: 1, Stride: b.Stride, Dilation: 1, Groups: b.Groups}
	var y []float64
	if r.plan.Form == model.Deploy {
		weight, bias := b.Fused()
		y, _ = kernel.RefConv(three, r.get(weight), r.get(bias), x, h, w)
	} else {
		y, _ = kernel.RefConv(three, r.get(b.Conv3x3().Weight), nil, x, h, w)
		y = r.norm(b, b.Conv3x3(), y)
		z, _ := kernel.RefConv(one, r.get(b.Conv1x1().Weight), nil, x, h, w)
		add(y, r.norm(b, b.Conv1x1(), z))
		if b.Identity {
			add(y, r.norm(b, b.IdentityNorm(), x))
		}
	}
	if se := b.SETensors(); len(se) > 0 {
		s, _ := kernel.RefLinear(channelMeans(y, b.Out), r.get(se[0].Name), r.get(se[1].Name))
		for i := range s {
			s[i] = kernel.RefReLU(s[i])
		}
		gates, _ := kernel.RefLinear(s, r.get(se[2].Name), r.get(se[3].Name))
		pixels := len(y) / b.Out
		for i := range y {
			y[i] *= kernel.RefSigmoid(gates[i/pixels])
		}
	}
	for i := range y {
		y[i] = kernel.RefReLU(y[i])
	}
	return y
}

func (r reference) norm(b *model.Block, names model.ConvBN, x []float64) []float64 {
	gamma, beta, mean, variance := r.get(names.Gamma()), r.get(names.Beta()), r.get(names.Mean()), r.get(names.Var())
	pixels := len(x) / b.Out
	y := make([]float64, len(x))
	for i, v := range x {
		c := i / pixels
		y[i] = (v-mean[c])/math.Sqrt(variance[c]+b.Eps)*gamma[c] + beta[c]
	}
	return y
}

func add(dst, src []float64) {
	for i, v := range src {
		dst[i] += v
	}
}

func channelMeans(x []float64, channels int) []float64 {
	means := make([]float64, channels)
	pixels := len(x) / channels
	for c := range means {
		means[c] = kernel.RefMean(x[c*pixels:][:pixels])
	}
	return means
}

func widen(x []float32) []float64 {
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	return wide
}
