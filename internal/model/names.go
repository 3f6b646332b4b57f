package model

import (
	"strconv"
	"strings"

	"repvgg/internal/tensor"
)

// The names of a block's parts in MMClassification's state dict.
const (
	branch3x3    = ".branch_3x3"
	branch1x1    = ".branch_1x1"
	branchNorm   = ".branch_norm"
	reparam      = ".branch_reparam"
	se           = ".se_layer"
	batchesCount = ".num_batches_tracked"
)

// ConvBN names the tensors of a convolution with batch normalization. The
// identity branch has no convolution: its Weight is empty.
type ConvBN struct {
	// Weight has the shape (Out, In/Groups, k, k).
	Weight string
	// Norm is the prefix of weight, bias, running_mean and running_var.
	Norm string
}

// Conv3x3 names the train form's 3x3 branch.
func (b *Block) Conv3x3() ConvBN {
	return ConvBN{Weight: b.Name + branch3x3 + ".conv.weight", Norm: b.Name + branch3x3 + ".norm"}
}

// Conv1x1 names the train form's 1x1 branch.
func (b *Block) Conv1x1() ConvBN {
	return ConvBN{Weight: b.Name + branch1x1 + ".conv.weight", Norm: b.Name + branch1x1 + ".norm"}
}

// IdentityNorm names the train form's identity branch, which only some blocks
// have.
func (b *Block) IdentityNorm() ConvBN { return ConvBN{Norm: b.Name + branchNorm} }

// Gamma is the scale of the normalization
// y = (x - mean) / sqrt(var + eps) * gamma + beta.
func (c ConvBN) Gamma() string { return c.Norm + ".weight" }

// Beta is the shift; see Gamma.
func (c ConvBN) Beta() string { return c.Norm + ".bias" }

// Mean is the running mean; see Gamma.
func (c ConvBN) Mean() string { return c.Norm + ".running_mean" }

// Var is the running variance; see Gamma.
func (c ConvBN) Var() string { return c.Norm + ".running_var" }

// Fused names the weight and bias of the deploy form's convolution.
func (b *Block) Fused() (weight, bias string) {
	return b.Name + reparam + ".weight", b.Name + reparam + ".bias"
}

// The head's tensors: weight (Classes, Features), bias (Classes).
const (
	HeadWeight = "head.fc.weight"
	HeadBias   = "head.fc.bias"
)

// SETensors are the four tensors of the block's squeeze-and-excitation layer,
// reduce and expand as 1x1 convolutions, in the state dict's order: weight
// (Squeeze, Out, 1, 1), bias (Squeeze), weight (Out, Squeeze, 1, 1), bias (Out).
// There are none without one.
func (b *Block) SETensors() []tensor.Spec {
	if b.Squeeze == 0 {
		return nil
	}
	reduce, expand := b.Name+se+".conv1.conv", b.Name+se+".conv2.conv"
	return []tensor.Spec{
		{Name: reduce + ".weight", Shape: []int{b.Squeeze, b.Out, 1, 1}},
		{Name: reduce + ".bias", Shape: []int{b.Squeeze}},
		{Name: expand + ".weight", Shape: []int{b.Out, b.Squeeze, 1, 1}},
		{Name: expand + ".bias", Shape: []int{b.Out}},
	}
}

// Tensors are the names and shapes of a state dict of the plan, in the order
// in which the original writes them. num_batches_tracked is not among them:
// see IsCounter.
func (p *Plan) Tensors() []tensor.Spec {
	var specs []tensor.Spec
	for i := range p.Blocks {
		b := &p.Blocks[i]
		specs = append(specs, b.SETensors()...)
		if p.Form == Deploy {
			weight, bias := b.Fused()
			specs = append(specs,
				tensor.Spec{Name: weight, Shape: []int{b.Out, b.In / b.Groups, 3, 3}},
				tensor.Spec{Name: bias, Shape: []int{b.Out}})
			continue
		}
		if b.Identity {
			specs = append(specs, b.IdentityNorm().normTensors(b.Out)...)
		}
		specs = append(specs, tensor.Spec{Name: b.Conv3x3().Weight, Shape: []int{b.Out, b.In / b.Groups, 3, 3}})
		specs = append(specs, b.Conv3x3().normTensors(b.Out)...)
		specs = append(specs, tensor.Spec{Name: b.Conv1x1().Weight, Shape: []int{b.Out, b.In / b.Groups, 1, 1}})
		specs = append(specs, b.Conv1x1().normTensors(b.Out)...)
	}
	return append(specs, p.HeadTensors()...)
}

// HeadTensors are those of the classifier; none without one.
func (p *Plan) HeadTensors() []tensor.Spec {
	if p.Head == nil {
		return nil
	}
	return []tensor.Spec{
		{Name: HeadWeight, Shape: []int{p.Head.Classes, p.Head.Features}},
		{Name: HeadBias, Shape: []int{p.Head.Classes}},
	}
}

func (c ConvBN) normTensors(channels int) []tensor.Spec {
	shape := []int{channels}
	return []tensor.Spec{
		{Name: c.Gamma(), Shape: shape}, {Name: c.Beta(), Shape: shape},
		{Name: c.Mean(), Shape: shape}, {Name: c.Var(), Shape: shape},
	}
}

// IsCounter tells whether a tensor is a batch normalization's count of training
// steps. Old checkpoints lack it and inference never reads it.
func IsCounter(name string) bool { return strings.HasSuffix(name, batchesCount) }

// FormOf tells which form the names of a state dict belong to. ok is false if
// they hold blocks of neither form, or of both.
func FormOf(names []string) (form Form, ok bool) {
	var train, deploy bool
	for _, name := range names {
		train = train || strings.Contains(name, branch3x3+".")
		deploy = deploy || strings.Contains(name, reparam+".")
	}
	if deploy {
		form = Deploy
	}
	return form, train != deploy
}

// Modules are the paths of the modules of the converted network in the order
// in which PyTorch registers them; the state dict's metadata has a version for
// each. Only the deploy form is ever written.
func (p *Plan) Modules() []string {
	modules := []string{"", "backbone"}
	stage := ""
	for i := range p.Blocks {
		b := &p.Blocks[i]
		if parent := b.Name[:strings.LastIndexByte(b.Name, '.')]; parent != "backbone" && parent != stage {
			stage = parent
			modules = append(modules, stage)
		}
		modules = append(modules, b.Name)
		if b.Squeeze > 0 {
			for _, part := range []string{"", ".global_avgpool",
				".conv1", ".conv1.conv", ".conv1.activate", ".conv2", ".conv2.conv", ".conv2.activate"} {
				modules = append(modules, b.Name+se+part)
			}
		}
		modules = append(modules, b.Name+".act", b.Name+reparam)
	}
	if p.Head != nil {
		modules = append(modules, "neck", "neck.gap", "head", "head.compute_loss", "head.compute_accuracy", "head.fc")
	}
	return modules
}

func blockName(stage, index int) string {
	return "backbone.stage_" + strconv.Itoa(stage+1) + "." + strconv.Itoa(index)
}
