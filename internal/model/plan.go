// Package model describes re-parameterizable networks as data: a Plan is a flat
// list of Blocks, and a Block is a list of Branches. The package checks plans,
// names their tensors, counts their cost, and folds a block's branches into one
// convolution. It knows no framework and no config, and runs nothing. Each family
// of networks has a package below it.
package model

import (
	"fmt"
	"slices"

	"repvgg/internal/tensor"
)

// Form is one of the two equivalent forms of a network.
type Form uint8

const (
	// Train is the form that is trained: each block is the sum of parallel branches.
	Train Form = iota
	// Deploy is the form after re-parameterization: each block is one convolution
	// with a bias.
	Deploy
)

// String returns the word for the form in flags and messages.
func (f Form) String() string {
	if f == Deploy {
		return "deploy"
	}
	return "train"
}

// Plan is a network as a flat list: Blocks in sequence, then global average pooling
// and a linear layer. It has no weights and no input size. Activations are in N, C,
// H, W order.
type Plan struct {
	Form       Form
	InChannels int
	// Blocks are in execution order.
	Blocks []Block
	// Depth is the number of Blocks that the classifier needs. It is all of them,
	// unless the network's output is an earlier stage. The others have weights but do
	// not affect the result.
	Depth int
	// Head is nil for a network that ends in a feature map.
	Head *Head
	// Family is the network's family, or nil.
	Family *Family
}

// Head is the classifier: global average pooling, then a linear layer with Features
// inputs and Classes outputs.
type Head struct {
	Features, Classes int
	// LinearNames name the tensors: weight (Classes, Features), bias (Classes).
	LinearNames
}

// OutSize returns the height and width of the last feature map for an input of h x
// w.
func (p *Plan) OutSize(h, w int) (int, int) {
	for i := range p.Blocks[:p.Depth] {
		h, w = p.Blocks[i].OutSize(h, w)
	}
	return h, w
}

// OutLen returns the number of output values for one image of h x w: the number of
// classes or, without a head, the size of the last feature map.
func (p *Plan) OutLen(h, w int) int {
	if p.Head != nil {
		return p.Head.Classes
	}
	h, w = p.OutSize(h, w)
	return p.Blocks[p.Depth-1].Out * h * w
}

// As returns the same network in the given form.
func (p *Plan) As(form Form) *Plan {
	q := *p
	q.Form = form
	return &q
}

// Block returns a plan of only block i, without a head.
func (p *Plan) Block(i int) *Plan {
	return &Plan{
		Form:       p.Form,
		InChannels: p.Blocks[i].In,
		Blocks:     slices.Clone(p.Blocks[i : i+1]),
		Depth:      1,
		Family:     p.Family,
	}
}

// Check returns an error if the blocks do not fit together, or can't be computed in
// the plan's form.
func (p *Plan) Check() error {
	if p.Depth < 1 || p.Depth > len(p.Blocks) || p.InChannels < 1 {
		return fmt.Errorf("checking the network: want 1 to %d blocks and at least one input channel, got %d and %d", len(p.Blocks), p.Depth, p.InChannels)
	}
	channels := p.InChannels
	for i := range p.Blocks[:p.Depth] {
		b := &p.Blocks[i]
		if b.In != channels {
			return fmt.Errorf("checking block %q: it takes %d channels, but there are %d", b.Name, b.In, channels)
		}
		if err := b.check(p.Form); err != nil {
			return fmt.Errorf("checking block %q: %w", b.Name, err)
		}
		channels = b.Out
	}
	if p.Head != nil && (p.Head.Features != channels || p.Head.Classes < 1) {
		return fmt.Errorf("checking the head: it takes %d features to %d classes, but there are %d channels", p.Head.Features, p.Head.Classes, channels)
	}
	return nil
}

// Tensors returns the names and shapes of the plan's state dict, block by block. It
// does not include the counters of training steps; see IsCounter.
func (p *Plan) Tensors() []tensor.Spec {
	var specs []tensor.Spec
	for i := range p.Blocks {
		b := &p.Blocks[i]
		specs = append(specs, b.SETensors()...)
		if p.Form == Deploy {
			specs = append(specs, b.WeightSpec(), b.BiasSpec())
		} else {
			specs = append(specs, b.branchTensors()...)
		}
	}
	return append(specs, p.HeadTensors()...)
}

// HeadTensors returns the weight and the bias of the classifier, or nil if there is
// none.
func (p *Plan) HeadTensors() []tensor.Spec {
	if p.Head == nil {
		return nil
	}
	return []tensor.Spec{
		{Name: p.Head.Weight, Shape: []int{p.Head.Classes, p.Head.Features}},
		{Name: p.Head.Bias, Shape: []int{p.Head.Classes}},
	}
}

// Variances returns the names of the train form's running variances, which must not
// be negative.
func (p *Plan) Variances() map[string]bool {
	names := make(map[string]bool)
	for i := range p.Blocks {
		for _, branch := range p.Blocks[i].Branches {
			if branch.Norm != nil {
				names[branch.Norm.Var()] = true
			}
		}
	}
	return names
}

// FormOf returns the form whose tensors a list of names has: those of the branches
// of some block, or those of a folded convolution. ok is false if there are
// neither, or both.
func (p *Plan) FormOf(names []string) (form Form, ok bool) {
	forms := make(map[string]Form)
	for i := range p.Blocks {
		b := &p.Blocks[i]
		for _, spec := range b.branchTensors() {
			forms[spec.Name] = Train
		}
		forms[b.Weight], forms[b.Bias] = Deploy, Deploy
	}
	var found [2]bool
	for _, name := range names {
		if f, known := forms[name]; known {
			found[f] = true
		}
	}
	if found[Deploy] {
		form = Deploy
	}
	return form, found[Train] != found[Deploy]
}
