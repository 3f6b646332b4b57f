package model

import (
	"fmt"

	"repvgg/internal/tensor"
)

// Block is one re-parameterizable block. In the train form, it is the sum of
// parallel Branches. In the deploy form, it is the single convolution that they
// fold into. Squeeze-and-excitation, if there is any, and the activation follow.
type Block struct {
	// Name is the block's prefix in the state dict: backbone.stage_1.0.
	Name string
	// Conv is the convolution that the branches fold into. Weight and Bias name its
	// tensors.
	Conv
	Weight, Bias string
	// Branches are in the order in which they are added, on which float32 sums depend.
	Branches []Branch
	// SE is nil if there is no squeeze-and-excitation.
	SE         *SqueezeExcite
	Activation Activation
}

// Branch is one of the parallel paths of a block: a convolution, a normalization,
// or a convolution followed by a normalization.
type Branch struct {
	// Name is the name of the module within the block: branch_3x3.
	Name string
	// Conv is nil for the identity, whose output is the block's input. Weight and Bias
	// name the convolution's tensors. Bias is usually empty: there is none.
	Conv         *Conv
	Weight, Bias string
	// Norm follows the convolution. It is nil if there is none.
	Norm *Norm
}

// Activation is the function after a block.
type Activation uint8

const (
	// ReLU is max(x, 0).
	ReLU Activation = iota
	// NoActivation leaves the values unchanged.
	NoActivation
)

// SqueezeExcite scales the channels of a map by factors that it computes from the
// channels' means: Reduce, ReLU, Expand, sigmoid. Reduce and Expand are linear
// layers whose weights have the shape of a 1 x 1 convolution.
type SqueezeExcite struct {
	// Channels is the number of channels between the two layers.
	Channels int
	// Name is the name of the module within the block: se_layer.
	Name           string
	Reduce, Expand LinearNames
}

// LinearNames are the names of a linear layer's tensors.
type LinearNames struct{ Weight, Bias string }

// Identity reports whether the branch is the identity, with or without a
// normalization.
func (b *Branch) Identity() bool { return b.Conv == nil }

// WeightSpec returns the tensor of the convolution's weight. The branch must not be
// an identity.
func (b *Branch) WeightSpec() tensor.Spec {
	return tensor.Spec{Name: b.Weight, Shape: b.Conv.WeightShape()}
}

// tensors returns the tensors of a branch with the given number of output channels,
// in the order of a state dict.
func (b *Branch) tensors(channels int) []tensor.Spec {
	var specs []tensor.Spec
	if b.Conv != nil {
		specs = append(specs, b.WeightSpec())
		if b.Bias != "" {
			specs = append(specs, tensor.Spec{Name: b.Bias, Shape: []int{channels}})
		}
	}
	if b.Norm != nil {
		specs = append(specs, b.Norm.tensors(channels)...)
	}
	return specs
}

// WeightSpec describes the weight of the folded convolution.
func (b *Block) WeightSpec() tensor.Spec {
	return tensor.Spec{Name: b.Weight, Shape: b.WeightShape()}
}

// BiasSpec describes the bias of the folded convolution.
func (b *Block) BiasSpec() tensor.Spec { return tensor.Spec{Name: b.Bias, Shape: []int{b.Out}} }

// SETensors returns the four tensors of squeeze-and-excitation: weight (Channels,
// Out, 1, 1) and bias of the first layer, weight (Out, Channels, 1, 1) and bias of
// the second. It returns nil if the block has none.
func (b *Block) SETensors() []tensor.Spec {
	if b.SE == nil {
		return nil
	}
	return []tensor.Spec{
		{Name: b.SE.Reduce.Weight, Shape: []int{b.SE.Channels, b.Out, 1, 1}},
		{Name: b.SE.Reduce.Bias, Shape: []int{b.SE.Channels}},
		{Name: b.SE.Expand.Weight, Shape: []int{b.Out, b.SE.Channels, 1, 1}},
		{Name: b.SE.Expand.Bias, Shape: []int{b.Out}},
	}
}

// branchTensors returns the tensors of all branches.
func (b *Block) branchTensors() []tensor.Spec {
	var specs []tensor.Spec
	for i := range b.Branches {
		specs = append(specs, b.Branches[i].tensors(b.Out)...)
	}
	return specs
}

// hasIdentity reports whether one of the branches is the identity.
func (b *Block) hasIdentity() bool {
	for i := range b.Branches {
		if b.Branches[i].Identity() {
			return true
		}
	}
	return false
}

// check returns an error if the block can't be computed in the form.
func (b *Block) check(form Form) error {
	if err := b.Conv.Check(); err != nil {
		return err
	}
	if b.SE != nil && b.SE.Channels < 1 {
		return fmt.Errorf("squeeze-and-excitation with %d channels", b.SE.Channels)
	}
	if form == Deploy {
		return nil
	}
	if len(b.Branches) == 0 {
		return fmt.Errorf("the train form has no branches")
	}
	for i := range b.Branches {
		if err := b.checkBranch(&b.Branches[i]); err != nil {
			return fmt.Errorf("branch %q: %w", b.Branches[i].Name, err)
		}
	}
	return nil
}

// checkBranch checks that a branch can be folded into the block's convolution: its
// taps must be a subset of the convolution's.
func (b *Block) checkBranch(branch *Branch) error {
	c := branch.Conv
	if c == nil {
		if b.In != b.Out || b.Stride != 1 {
			return fmt.Errorf("an identity branch needs equal channels and stride 1")
		}
		if oh, ow := b.OutSize(64, 64); oh != 64 || ow != 64 {
			return fmt.Errorf("an identity branch needs a padding that keeps the size")
		}
		c = &Conv{In: b.In, Out: b.Out, KernelH: 1, KernelW: 1, Stride: 1, Dilation: 1, Groups: b.Groups}
	}
	if err := c.Check(); err != nil {
		return err
	}
	if (b.KernelH-c.KernelH)%2 != 0 || (b.KernelW-c.KernelW)%2 != 0 || c.KernelH > b.KernelH || c.KernelW > b.KernelW {
		return fmt.Errorf("a %dx%d kernel does not fit into the centre of a %dx%d kernel", c.KernelH, c.KernelW, b.KernelH, b.KernelW)
	}
	if c.KernelH*c.KernelW > 1 && c.Dilation != b.Dilation {
		return fmt.Errorf("its dilation is %d, but the block's is %d", c.Dilation, b.Dilation)
	}
	if branch.Conv != nil {
		want := b.Conv.Kernel(c.KernelH, c.KernelW)
		want.Dilation = c.Dilation
		if *c != want {
			return fmt.Errorf("%+v is not aligned with the block's convolution, which needs %+v", *c, want)
		}
	}
	return nil
}
