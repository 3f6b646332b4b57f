package gpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// A network in float64 as its definition reads, maps laid out C, H, W.

func block(in, out, stride, dilation, groups, squeeze int) model.Block {
	return model.Block{In: in, Out: out, Stride: stride, Dilation: dilation, Groups: groups, Squeeze: squeeze, Identity: in == out && stride == 1}
}

func net(form model.Form, classes int, blocks ...model.Block) *model.Plan {
	for i := range blocks {
		blocks[i].Name = fmt.Sprintf("backbone.stage_1.%d", i)
		blocks[i].Eps = 1e-5
	}
	p := &model.Plan{Form: form, InChannels: blocks[0].In, Blocks: blocks, Depth: len(blocks)}
	if classes > 0 {
		p.Head = &model.Head{Features: blocks[len(blocks)-1].Out, Classes: classes}
	}
	return p
}

// nets are small networks with everything a RepVGG may have: channels that are
// padded and such that are not, groups of any width.
func nets(form model.Form) map[string]*model.Plan {
	shallow := net(form, 7, block(3, 8, 2, 1, 1, 0), block(8, 8, 1, 1, 1, 0), block(8, 12, 2, 1, 1, 0), block(12, 16, 2, 1, 1, 0))
	shallow.Depth, shallow.Head.Features = 3, 12
	return map[string]*model.Plan{
		"plain":   net(form, 70, block(3, 8, 2, 1, 1, 0), block(8, 8, 1, 1, 1, 0), block(8, 10, 2, 1, 1, 0), block(10, 40, 1, 1, 1, 0)),
		"groups":  net(form, 5, block(3, 12, 2, 1, 1, 0), block(12, 12, 1, 1, 4, 0), block(12, 24, 2, 1, 2, 0), block(24, 24, 1, 1, 24, 0), block(24, 9, 1, 1, 1, 0)),
		"wide":    net(form, 5, block(3, 32, 2, 1, 1, 0), block(32, 32, 1, 1, 4, 0), block(32, 64, 2, 1, 2, 0)),
		"dilated": net(form, 5, block(3, 6, 2, 1, 1, 0), block(6, 6, 1, 2, 1, 0), block(6, 9, 1, 4, 1, 0), block(9, 9, 2, 2, 3, 0)),
		"se":      net(form, 5, block(3, 8, 2, 1, 1, 2), block(8, 8, 1, 1, 1, 3), block(8, 36, 2, 1, 1, 1), block(36, 36, 1, 1, 1, 9)),
		"feature": net(form, 0, block(4, 4, 1, 1, 1, 0), block(4, 6, 2, 1, 1, 2)),
		"shallow": shallow,
	}
}

// randomWeights are lively values for all tensors of a plan.
func randomWeights(p *model.Plan, seed uint64) map[string][]float32 {
	rng := rand.New(rand.NewPCG(seed, 2))
	values := make(map[string][]float32)
	for _, spec := range p.Tensors() {
		v := make([]float32, spec.Numel())
		fanIn := tensor.Numel(spec.Shape[1:])
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

// image runs one image.
func (r reference) image(src []float32, h, w int) []float64 {
	x := make([]float64, len(src))
	for i, v := range src {
		x[i] = float64(v)
	}
	for i := range r.plan.Blocks[:r.plan.Depth] {
		b := &r.plan.Blocks[i]
		x = r.block(b, x, h, w)
		h, w = b.OutSize(h), b.OutSize(w)
	}
	if r.plan.Head == nil {
		return x
	}
	return r.linear(model.HeadWeight, model.HeadBias, means(x, r.plan.Head.Features))
}

func (r reference) block(b *model.Block, x []float64, h, w int) []float64 {
	var y []float64
	if r.plan.Form == model.Deploy {
		weight, bias := b.Fused()
		y = r.conv(b, 3, weight, x, h, w)
		pixels := len(y) / b.Out
		for i := range y {
			y[i] += float64(r.values[bias][i/pixels])
		}
	} else {
		y = r.norm(b, b.Conv3x3(), r.conv(b, 3, b.Conv3x3().Weight, x, h, w))
		for i, v := range r.norm(b, b.Conv1x1(), r.conv(b, 1, b.Conv1x1().Weight, x, h, w)) {
			y[i] += v
		}
		if b.Identity {
			for i, v := range r.norm(b, b.IdentityNorm(), x) {
				y[i] += v
			}
		}
	}
	if se := b.SETensors(); len(se) > 0 {
		s := r.linear(se[0].Name, se[1].Name, means(y, b.Out))
		for i := range s {
			s[i] = max(s[i], 0)
		}
		gates := r.linear(se[2].Name, se[3].Name, s)
		for i := range y {
			y[i] /= 1 + math.Exp(-gates[i/(len(y)/b.Out)])
		}
	}
	for i := range y {
		y[i] = max(y[i], 0)
	}
	return y
}

func (r reference) conv(b *model.Block, kernel int, weight string, x []float64, h, w int) []float64 {
	oh, ow, pad := b.OutSize(h), b.OutSize(w), 0
	dilation := 1
	if kernel == 3 {
		dilation, pad = b.Dilation, b.Dilation
	}
	ins, outs := b.In/b.Groups, b.Out/b.Groups
	y := make([]float64, b.Out*oh*ow)
	for i := range y {
		k, p, q := i/(oh*ow), i/ow%oh, i%ow
		for c := range ins {
			for t := range kernel * kernel {
				row, col := p*b.Stride-pad+t/kernel*dilation, q*b.Stride-pad+t%kernel*dilation
				if row >= 0 && row < h && col >= 0 && col < w {
					y[i] += float64(r.values[weight][(k*ins+c)*kernel*kernel+t]) * x[((k/outs*ins+c)*h+row)*w+col]
				}
			}
		}
	}
	return y
}

func (r reference) norm(b *model.Block, n model.ConvBN, x []float64) []float64 {
	y := make([]float64, len(x))
	at := func(name string, c int) float64 { return float64(r.values[name][c]) }
	for i, v := range x {
		c := i / (len(x) / b.Out)
		y[i] = (v-at(n.Mean(), c))/math.Sqrt(at(n.Var(), c)+b.Eps)*at(n.Gamma(), c) + at(n.Beta(), c)
	}
	return y
}

func (r reference) linear(weight, bias string, x []float64) []float64 {
	y := make([]float64, len(r.values[bias]))
	for i := range y {
		y[i] = float64(r.values[bias][i])
		for j, v := range x {
			y[i] += float64(r.values[weight][i*len(x)+j]) * v
		}
	}
	return y
}

func means(x []float64, channels int) []float64 {
	m := make([]float64, channels)
	for i, v := range x {
		m[i/(len(x)/channels)] += v / float64(len(x)/channels)
	}
	return m
}
