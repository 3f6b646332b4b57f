package model

import (
	"fmt"
	"math"

	"repvgg/internal/tensor"
)

// Values reads a tensor of a plan: as many as the spec says, row-major.
type Values func(spec tensor.Spec) ([]float32, error)

// Norm is a batch normalization of the block in inference, y = scale*x + shift for
// each output channel, in float64.
func (b *Block) Norm(names ConvBN, values Values) (scale, shift []float64, err error) {
	var v [4][]float32
	for i, name := range []string{names.Gamma(), names.Beta(), names.Mean(), names.Var()} {
		if v[i], err = values(tensor.Spec{Name: name, Shape: []int{b.Out}}); err != nil {
			return nil, nil, err
		}
	}
	gamma, beta, mean, variance := v[0], v[1], v[2], v[3]
	scale, shift = make([]float64, b.Out), make([]float64, b.Out)
	for c := range scale {
		if !(variance[c] >= 0) {
			return nil, nil, fmt.Errorf("%s of channel %d is %v; the training run diverged, or the file is damaged", names.Var(), c, variance[c])
		}
		scale[c] = float64(gamma[c]) / math.Sqrt(float64(variance[c])+b.Eps)
		shift[c] = float64(beta[c]) - float64(mean[c])*scale[c]
	}
	return scale, shift, nil
}

// ConvNorm is a branch's convolution, of a square kernel, with its batch
// normalization folded into it: each weight is rounded once.
func (b *Block) ConvNorm(names ConvBN, kernel int, values Values) (weight []float32, shift []float64, err error) {
	source, err := values(tensor.Spec{Name: names.Weight, Shape: []int{b.Out, b.In / b.Groups, kernel, kernel}})
	if err != nil {
		return nil, nil, err
	}
	scale, shift, err := b.Norm(names, values)
	if err != nil {
		return nil, nil, err
	}
	weight = make([]float32, len(source))
	row := len(weight) / b.Out
	for i, w := range source {
		weight[i] = float32(float64(w) * scale[i/row])
	}
	return weight, shift, nil
}
