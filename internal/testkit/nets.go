package testkit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/tensor"
)

// Shape is the shape of a RepVGG block, for Plan.
type Shape struct {
	In, Out, Stride, Dilation, Groups int
	Squeeze                           int // channels of squeeze-and-excitation; 0 means none
}

// Block returns a Shape.
func Block(in, out, stride, dilation, groups, squeeze int) Shape {
	return Shape{in, out, stride, dilation, groups, squeeze}
}

// Plan returns a RepVGG with the blocks. With 0 classes, it has no head.
func Plan(form model.Form, classes int, blocks ...Shape) *model.Plan {
	p := &model.Plan{Form: form, InChannels: blocks[0].In, Depth: len(blocks)}
	for i, s := range blocks {
		name := fmt.Sprintf("backbone.stage_1.%d", i)
		b := repvgg.NewBlock(name, s.In, s.Out, s.Stride, s.Dilation, s.Groups, 1e-5)
		if s.Squeeze > 0 {
			b.SE = repvgg.NewSE(name, s.Squeeze)
		}
		p.Blocks = append(p.Blocks, b)
	}
	if classes > 0 {
		p.Head = repvgg.NewHead(blocks[len(blocks)-1].Out, classes)
	}
	return p
}

// Plans returns small networks that cover all features of RepVGG: numbers of
// channels that do and do not fill a vector, and groups of different widths.
func Plans(form model.Form) map[string]*model.Plan {
	shallow := Plan(form, 7, Block(3, 8, 2, 1, 1, 0), Block(8, 8, 1, 1, 1, 0), Block(8, 12, 2, 1, 1, 0), Block(12, 16, 2, 1, 1, 0))
	shallow.Depth, shallow.Head.Features = 3, 12
	return map[string]*model.Plan{
		"plain":     Plan(form, 70, Block(3, 8, 2, 1, 1, 0), Block(8, 8, 1, 1, 1, 0), Block(8, 10, 2, 1, 1, 0), Block(10, 40, 1, 1, 1, 0)),
		"groups":    Plan(form, 5, Block(3, 12, 2, 1, 1, 0), Block(12, 12, 1, 1, 4, 0), Block(12, 24, 2, 1, 2, 0), Block(24, 24, 1, 1, 24, 0), Block(24, 9, 1, 1, 1, 0)),
		"wide":      Plan(form, 5, Block(3, 32, 2, 1, 1, 0), Block(32, 32, 1, 1, 4, 0), Block(32, 64, 2, 1, 2, 0)),
		"dilated":   Plan(form, 5, Block(3, 6, 2, 1, 1, 0), Block(6, 6, 1, 2, 1, 0), Block(6, 9, 1, 4, 1, 0), Block(9, 9, 2, 2, 3, 0)),
		"se":        Plan(form, 5, Block(3, 8, 2, 1, 1, 2), Block(8, 8, 1, 1, 1, 3), Block(8, 36, 2, 1, 1, 1), Block(36, 36, 1, 1, 1, 9)),
		"feature":   Plan(form, 0, Block(4, 4, 1, 1, 1, 0), Block(4, 6, 2, 1, 1, 2)),
		"repeated":  Plan(form, 5, Block(3, 16, 2, 1, 1, 0), Block(16, 16, 1, 1, 1, 0), Block(16, 16, 1, 1, 1, 0), Block(16, 16, 1, 1, 1, 0)),
		"one block": Plan(form, 0, Block(6, 6, 1, 1, 1, 0)),
		"shallow":   shallow,
	}
}

// Weights returns random values for all tensors of a plan. Means and variances are
// as after training, so that all branches of a block contribute.
func Weights(p *model.Plan, seed uint64) tensor.Map {
	rng := rand.New(rand.NewPCG(seed, 2))
	values := make(tensor.Map)
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
			case strings.HasSuffix(spec.Name, ".weight"):
				v[i] = float32(1 + 0.3*x)
			default:
				v[i] = float32(0.5 * x)
			}
		}
		values[spec.Name] = v
	}
	return values
}

// Images returns n values in the range of normalised images.
func Images(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// Zoo returns the plan of a published variant, such as A0, with 1000 classes.
func Zoo(t testing.TB, name string, form model.Form) *model.Plan {
	t.Helper()
	p, err := repvgg.Variant(name, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return p.As(form)
}
