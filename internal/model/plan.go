// Package model knows what a RepVGG network is: the published variants, the
// network that a config describes as a flat Plan in its train or deploy form,
// and the names and shapes of its tensors. It runs nothing.
package model

import "slices"

// Form is one of the two equivalent shapes of a RepVGG network.
type Form uint8

const (
	// Train is the form that is trained: each block adds a 3x3 convolution, a
	// 1x1 convolution and, where shapes allow, the identity, each with its own
	// batch normalization.
	Train Form = iota
	// Deploy is the form after re-parameterization: each block is one 3x3
	// convolution with a bias.
	Deploy
)

// String is the word used for the form in flags and messages.
func (f Form) String() string {
	if f == Deploy {
		return "deploy"
	}
	return "train"
}

// Plan is a network as a flat list: Blocks one after the other, then global
// average pooling and a linear layer. It holds no weights and no input size.
// Activations are laid out N, C, H, W.
type Plan struct {
	Form       Form
	InChannels int
	// Blocks in execution order: the stem, then the stages.
	Blocks []Block
	// Depth is how many of Blocks the classifier needs: all, unless the
	// config's out_indices stops at an earlier stage. The others hold weights
	// but do not influence the result.
	Depth int
	// Head is nil for a part of a network that ends in a feature map.
	Head *Head
}

// Block is one RepVGG block: a 3x3 convolution with padding = dilation (in the
// train form with its parallel branches), then squeeze-and-excitation if
// Squeeze > 0, then ReLU.
type Block struct {
	// Name is the block's prefix in the state dict: backbone.stage_1.0
	Name     string
	In, Out  int // channels
	Stride   int
	Dilation int
	Groups   int
	// Identity tells whether the train form has an identity branch.
	Identity bool
	// Squeeze is the number of channels between the two 1x1 convolutions of
	// the squeeze-and-excitation layer; 0 if there is none.
	Squeeze int
	// Eps is added to the variances of the batch normalizations.
	Eps float64
}

// Head is the classifier: global average pooling, then Classes linear outputs
// of Features inputs.
type Head struct {
	Features, Classes int
}

// OutSize is the height or width that a block gives for one of size in.
func (b *Block) OutSize(in int) int {
	// Padding equals the dilation, so that the kernel's reach cancels out.
	return (in-1)/b.Stride + 1
}

// OutSize is the height and width of the last feature map for an input of h x w.
func (p *Plan) OutSize(h, w int) (int, int) {
	for i := range p.Blocks[:p.Depth] {
		h, w = p.Blocks[i].OutSize(h), p.Blocks[i].OutSize(w)
	}
	return h, w
}

// OutLen is the number of output values for one image of h x w: the classes,
// or the elements of the feature map of a plan without a head.
func (p *Plan) OutLen(h, w int) int {
	if p.Head != nil {
		return p.Head.Classes
	}
	h, w = p.OutSize(h, w)
	return p.Blocks[p.Depth-1].Out * h * w
}

// As is the same network in another form.
func (p *Plan) As(form Form) *Plan {
	q := *p
	q.Form = form
	return &q
}

// Block is the plan of block i alone, without a head.
func (p *Plan) Block(i int) *Plan {
	return &Plan{
		Form:       p.Form,
		InChannels: p.Blocks[i].In,
		Blocks:     slices.Clone(p.Blocks[i : i+1]),
		Depth:      1,
	}
}
