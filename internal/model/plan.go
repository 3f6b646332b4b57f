// Package model describes re-parameterizable networks as data: a Plan is a flat
// list of Blocks, a Block its Branches. It checks plans, names their tensors,
// counts what they cost, and folds a block's branches into one convolution. It
// knows no framework and no config, and runs nothing; families of networks are
// packages below it.
package model

import (
	"fmt"
	"slices"

	"repvgg/internal/tensor"
)

// Form is one of the two equivalent shapes of a network.
type Form uint8

const (
	// Train is the form that is trained: each block adds up parallel branches.
	Train Form = iota
	// Deploy is the form after re-parameterization: each block is one convolution
	// with a bias.
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
	// Blocks in execution order.
	Blocks []Block
	// Depth is how many of Blocks the classifier needs: all, unless the network
	// stops at an earlier stage. The others hold weights but do not influence the
	// result.
	Depth int
	// Head is nil for a part of a network that ends in a feature map.
	Head *Head
	// Family is what is known of networks of this kind; nil if nothing is.
	Family *Family
}

// Head is the classifier: global average pooling, then Classes linear outputs
// of Features inputs.
type Head struct {
	Features, Classes int
	// LinearNames name its tensors: weight (Classes, Features), bias (Classes).
	LinearNames
}

// OutSize is the height and width of the last feature map for an input of h x w.
func (p *Plan) OutSize(h, w int) (int, int) {
	for i := range p.Blocks[:p.Depth] {
		h, w = p.Blocks[i].OutSize(h, w)
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
		Family:     p.Family,
	}
}

// Check reports a plan whose blocks do not fit together, or that cannot be
// computed in its form.
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

// Tensors are the names and shapes of a state dict of the plan, block by block.
// The counters of training steps are not among them: see IsCounter.
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

// HeadTensors are the weight and the bias of the classifier; none without one.
func (p *Plan) HeadTensors() []tensor.Spec {
	if p.Head == nil {
		return nil
	}
	return []tensor.Spec{
		{Name: p.Head.Weight, Shape: []int{p.Head.Classes, p.Head.Features}},
		{Name: p.Head.Bias, Shape: []int{p.Head.Classes}},
	}
}

// Variances are the names of the train form's running variances, which must not
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

// FormOf is the form whose tensors a list of names holds: the branches' of some
// block, or the folded convolution's. ok is false if there are neither, or both.
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
