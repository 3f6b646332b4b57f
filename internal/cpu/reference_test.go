package cpu

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

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
	return r.linear(model.HeadWeight, model.HeadBias, pooled)
}

func (r reference) block(b *model.Block, x []float64, h, w int) []float64 {
	var y []float64
	if r.plan.Form == model.Deploy {
		weight, bias := b.Fused()
		y = refConv(conv3x3(b), r.values[weight], r.get(bias), x, h, w)
	} else {
		y = refConv(conv3x3(b), r.values[b.Conv3x3().Weight], nil, x, h, w)
		y = r.norm(b, b.Conv3x3(), y)
		z := refConv(conv1x1(b), r.values[b.Conv1x1().Weight], nil, x, h, w)
		add(y, r.norm(b, b.Conv1x1(), z))
		if b.Identity {
			add(y, r.norm(b, b.IdentityNorm(), x))
		}
	}
	if se := b.SETensors(); len(se) > 0 {
		s := r.linear(se[0].Name, se[1].Name, channelMeans(y, b.Out))
		for i := range s {
			s[i] = kernel.RefReLU(s[i])
		}
		gates := r.linear(se[2].Name, se[3].Name, s)
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

func (r reference) linear(weight, bias string, x []float64) []float64 {
	b := r.get(bias)
	return refConv(kernel.ConvShape{In: len(x), Out: len(b), Kernel: 1, Stride: 1, Dilation: 1, Groups: 1}, r.values[weight], b, x, 1, 1)
}

// refConv is kernel.RefConv, quick enough for whole networks: what each output
// pixel sees is copied out once, and processors share the output channels.
func refConv(s kernel.ConvShape, weight []float32, bias, x []float64, h, w int) []float64 {
	oh, ow := s.OutSize(h, w)
	pixels, ins, outs := oh*ow, s.In/s.Groups, s.Out/s.Groups
	depth := ins * s.Kernel * s.Kernel
	out := make([]float64, s.Out*pixels)
	seen := make([]float64, pixels*depth)
	for g := range s.Groups {
		for p := range pixels {
			row := seen[p*depth:][:depth]
			for k := range row {
				c, i, j := k/(s.Kernel*s.Kernel), k/s.Kernel%s.Kernel, k%s.Kernel
				y, z := p/ow*s.Stride-s.Pad+i*s.Dilation, p%ow*s.Stride-s.Pad+j*s.Dilation
				row[k] = 0
				if y >= 0 && y < h && z >= 0 && z < w {
					row[k] = x[((g*ins+c)*h+y)*w+z]
				}
			}
		}
		var all sync.WaitGroup
		workers := runtime.GOMAXPROCS(0)
		for worker := range workers {
			all.Go(func() {
				for o := g*outs + worker; o < (g+1)*outs; o += workers {
					taps, shift := widen(weight[o*depth:][:depth]), 0.0
					if bias != nil {
						shift = bias[o]
					}
					for p := range pixels {
						out[o*pixels+p] = shift + dot(taps, seen[p*depth:][:depth])
					}
				}
			})
		}
		all.Wait()
	}
	return out
}

// dot has four sums, for the processor to work on at the same time.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + (s2 + s3)
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

// The quick reference is the definition.
func TestReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, s := range []kernel.ConvShape{
		{In: 3, Out: 5, Kernel: 3, Stride: 2, Pad: 1, Dilation: 1, Groups: 1},
		{In: 12, Out: 8, Kernel: 3, Stride: 1, Pad: 2, Dilation: 2, Groups: 4},
		{In: 7, Out: 3, Kernel: 1, Stride: 1, Dilation: 1, Groups: 1},
	} {
		const h, w = 5, 9
		weight, x, bias := make([]float32, s.WeightLen()), make([]float64, s.In*h*w), make([]float64, s.Out)
		for i := range weight {
			weight[i] = float32(rng.NormFloat64())
		}
		for _, v := range [][]float64{x, bias} {
			for i := range v {
				v[i] = rng.NormFloat64()
			}
		}
		for _, bias := range [][]float64{nil, bias} {
			got := refConv(s, weight, bias, x, h, w)
			want, magnitude := kernel.RefConv(s, widen(weight), bias, x, h, w)
			if len(got) != len(want) {
				t.Fatalf("%+v: %d values, want %d", s, len(got), len(want))
			}
			for i := range want {
				if math.Abs(got[i]-want[i]) > 1e-14*magnitude[i] {
					t.Errorf("%+v: output %d is %v, want %v", s, i, got[i], want[i])
				}
			}
		}
	}
}
