package reference

import (
	"math"

	"repvgg/internal/model"
)

// Network is a plan with the values of its tensors, by their names.
type Network struct {
	Plan   *model.Plan
	Values map[string][]float32
}

// Image runs one image of h x w, laid out C, H, W: it gives the logits, or the
// last feature map of a plan without a head.
func (n Network) Image(src []float32, h, w int) []float64 {
	x := Widen(src)
	for i := range n.Plan.Blocks[:n.Plan.Depth] {
		b := &n.Plan.Blocks[i]
		x = n.block(b, x, h, w)
		h, w = b.OutSize(h), b.OutSize(w)
	}
	if n.Plan.Head == nil {
		return x
	}
	return n.linear(model.HeadWeight, model.HeadBias, means(x, n.Plan.Head.Features))
}

func (n Network) get(name string) []float64 { return Widen(n.Values[name]) }

func (n Network) block(b *model.Block, x []float64, h, w int) []float64 {
	three := Conv{In: b.In, Out: b.Out, Kernel: 3, Stride: b.Stride, Pad: b.Dilation, Dilation: b.Dilation, Groups: b.Groups}
	one := Conv{In: b.In, Out: b.Out, Kernel: 1, Stride: b.Stride, Dilation: 1, Groups: b.Groups}
	var y []float64
	if n.Plan.Form == model.Deploy {
		weight, bias := b.Fused()
		y = three.quick(n.Values[weight], n.get(bias), x, h, w)
	} else {
		y = n.norm(b, b.Conv3x3(), three.quick(n.Values[b.Conv3x3().Weight], nil, x, h, w))
		add(y, n.norm(b, b.Conv1x1(), one.quick(n.Values[b.Conv1x1().Weight], nil, x, h, w)))
		if b.Identity {
			add(y, n.norm(b, b.IdentityNorm(), x))
		}
	}
	if se := b.SETensors(); len(se) > 0 {
		squeezed := n.linear(se[0].Name, se[1].Name, means(y, b.Out))
		for i := range squeezed {
			squeezed[i] = ReLU(squeezed[i])
		}
		gates := n.linear(se[2].Name, se[3].Name, squeezed)
		for i := range y {
			y[i] *= Sigmoid(gates[i/(len(y)/b.Out)])
		}
	}
	for i := range y {
		y[i] = ReLU(y[i])
	}
	return y
}

func (n Network) linear(weight, bias string, x []float64) []float64 {
	y, _ := Linear(x, n.get(weight), n.get(bias))
	return y
}

func (n Network) norm(b *model.Block, names model.ConvBN, x []float64) []float64 {
	gamma, beta, mean, variance := n.get(names.Gamma()), n.get(names.Beta()), n.get(names.Mean()), n.get(names.Var())
	y := make([]float64, len(x))
	for i, v := range x {
		c := i / (len(x) / b.Out)
		y[i] = (v-mean[c])/math.Sqrt(variance[c]+b.Eps)*gamma[c] + beta[c]
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
