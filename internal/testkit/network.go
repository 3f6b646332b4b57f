package testkit

import (
	"math"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Network is a plan with the values of its tensors, by name.
type Network struct {
	Plan   *model.Plan
	Values tensor.Map
}

// Image runs the network on one image of h x w, in C, H, W order. It returns the
// logits or, for a plan without a head, the last feature map.
func (n Network) Image(src []float32, h, w int) []float64 {
	x := Widen(src)
	for i := range n.Plan.Blocks[:n.Plan.Depth] {
		b := &n.Plan.Blocks[i]
		x = n.block(b, x, h, w)
		h, w = b.OutSize(h, w)
	}
	if n.Plan.Head == nil {
		return x
	}
	return n.linear(n.Plan.Head.LinearNames, means(x, n.Plan.Head.Features))
}

func (n Network) get(name string) []float64 { return Widen(n.Values[name]) }

func (n Network) block(b *model.Block, x []float64, h, w int) []float64 {
	var y []float64
	if n.Plan.Form == model.Deploy {
		y = Conv{b.Conv}.quick(n.Values[b.Weight], n.get(b.Bias), x, h, w)
	} else {
		oh, ow := b.OutSize(h, w)
		y = make([]float64, b.Out*oh*ow)
		for i := range b.Branches {
			add(y, n.branch(&b.Branches[i], b.Out, x, h, w))
		}
	}
	if b.SE != nil {
		squeezed := n.linear(b.SE.Reduce, means(y, b.Out))
		for i := range squeezed {
			squeezed[i] = ReLU(squeezed[i])
		}
		gates := n.linear(b.SE.Expand, squeezed)
		for i := range y {
			y[i] *= Sigmoid(gates[i/(len(y)/b.Out)])
		}
	}
	if b.Activation == model.ReLU {
		for i := range y {
			y[i] = ReLU(y[i])
		}
	}
	return y
}

func (n Network) branch(b *model.Branch, channels int, x []float64, h, w int) []float64 {
	if b.Conv != nil {
		var bias []float64
		if b.Bias != "" {
			bias = n.get(b.Bias)
		}
		x = Conv{*b.Conv}.quick(n.Values[b.Weight], bias, x, h, w)
	}
	if b.Norm == nil {
		return x
	}
	return n.norm(*b.Norm, channels, x)
}

func (n Network) linear(names model.LinearNames, x []float64) []float64 {
	y, _ := Linear(x, n.get(names.Weight), n.get(names.Bias))
	return y
}

func (n Network) norm(norm model.Norm, channels int, x []float64) []float64 {
	gamma, beta, mean, variance := n.get(norm.Gamma()), n.get(norm.Beta()), n.get(norm.Mean()), n.get(norm.Var())
	y := make([]float64, len(x))
	for i, v := range x {
		c := i / (len(x) / channels)
		y[i] = (v-mean[c])/math.Sqrt(variance[c]+norm.Eps)*gamma[c] + beta[c]
	}
	return y
}

func add(dst, src []float64) {
	for i, v := range src {
		dst[i] += v
	}
}

func means(x []float64, channels int) []float64 {
	m := make([]float64, channels)
	for c := range m {
		m[c] = Mean(x[c*(len(x)/channels):][:len(x)/channels])
	}
	return m
}
