package model

import (
	"fmt"
	"math"

	"repvgg/internal/tensor"
)

// Norm is a batch normalization. For each channel:
//
//	y = (x - mean) / sqrt(var + Eps) * gamma + beta
type Norm struct {
	// Name is the prefix of the tensors' names in the state dict.
	Name string
	Eps  float64
}

// Gamma returns the name of the scale.
func (n Norm) Gamma() string { return n.Name + ".weight" }

// Beta returns the name of the shift.
func (n Norm) Beta() string { return n.Name + ".bias" }

// Mean returns the name of the running mean.
func (n Norm) Mean() string { return n.Name + ".running_mean" }

// Var returns the name of the running variance.
func (n Norm) Var() string { return n.Name + ".running_var" }

// tensors returns the four tensors of a norm. Each has one value per channel.
func (n Norm) tensors(channels int) []tensor.Spec {
	shape := []int{channels}
	return []tensor.Spec{
		{Name: n.Gamma(), Shape: shape}, {Name: n.Beta(), Shape: shape},
		{Name: n.Mean(), Shape: shape}, {Name: n.Var(), Shape: shape},
	}
}

// statistics are the values of a norm's tensors.
type statistics struct{ gamma, beta, mean, variance []float32 }

func (n Norm) read(src tensor.Source, channels int) (s statistics, err error) {
	for i, to := range []*[]float32{&s.gamma, &s.beta, &s.mean, &s.variance} {
		if *to, err = tensor.Load(src, n.tensors(channels)[i]); err != nil {
			return s, err
		}
	}
	for c, v := range s.variance {
		if !(v >= 0 && v <= math.MaxFloat32) {
			return s, fmt.Errorf("%s of channel %d is %v; the training run diverged, or the file is damaged", n.Var(), c, v)
		}
	}
	return s, nil
}

// Affine returns the norm as y = scale*x + shift for each channel, in float64.
func (n Norm) Affine(src tensor.Source, channels int) (scale, shift []float64, err error) {
	s, err := n.read(src, channels)
	if err != nil {
		return nil, nil, err
	}
	scale, shift = make([]float64, channels), make([]float64, channels)
	for c := range scale {
		scale[c] = float64(s.gamma[c]) / math.Sqrt(float64(s.variance[c])+n.Eps)
		shift[c] = float64(s.beta[c]) - float64(s.mean[c])*scale[c]
	}
	return scale, shift, nil
}

// affine32 is Affine in float32, in the training frameworks' order of operations,
// so that fused weights are bit-identical:
//
//	std   = sqrt(var + eps)
//	scale = gamma / std
//	shift = (-mean * gamma) / std + beta
func (n Norm) affine32(src tensor.Source, channels int) (scale, shift []float32, err error) {
	s, err := n.read(src, channels)
	if err != nil {
		return nil, nil, err
	}
	scale, shift = make([]float32, channels), make([]float32, channels)
	eps := float32(n.Eps)
	for c := range scale {
		// The conversions keep the compiler from using fused multiply-add.
		std := float32(math.Sqrt(float64(s.variance[c] + eps)))
		scale[c] = s.gamma[c] / std
		shift[c] = float32(float32(-s.mean[c]*s.gamma[c])/std) + s.beta[c]
	}
	return scale, shift, nil
}
