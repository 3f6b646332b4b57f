// Package flops prints a network as MMClassification's get_flops.py does: as a tree
// of its modules with the cost of each.
package flops

import (
	"fmt"
	"strings"

	"repvgg/internal/config/value"
	"repvgg/internal/model"
)

// Module is a module that the original builds from a config, with its cost for one
// image.
type Module struct {
	// Name is the name of the attribute of the parent module: conv. The root has none.
	Name string
	// Type is the class: Conv2d.
	Type string
	// Extra has the arguments that PyTorch prints for the module.
	Extra string
	// Init is the init_cfg that mmcv prints after the module, as Python formats it, or
	// empty.
	Init string
	// Cost includes the cost of Children.
	Cost     model.Cost
	Children []*Module
}

// Details are what the tree shows in addition to the network's plan. They do not
// affect any result. Values are formatted as Python does.
type Details struct {
	// ClassifierInit, BackboneInit and HeadInit are the init_cfg of these modules, or
	// empty. The blocks of the stages show the backbone's.
	ClassifierInit, BackboneInit, HeadInit string
	// Momentum is the momentum of the batch normalizations.
	Momentum string
	// Inplace is the inplace argument of the blocks' activations.
	Inplace bool
	// Loss is the class of the head's loss.
	Loss string
}

// Tree returns the tree of a network's modules, counted for one image of h x w. Its
// Cost is the Total of Plan.Count.
func Tree(plan *model.Plan, details *Details, h, w int) (*Module, error) {
	count, err := plan.Count(h, w)
	if err != nil {
		return nil, err
	}
	t := treeBuilder{plan, count, details}
	neck := newModule("neck", "GlobalAveragePooling", leaf("gap", "AdaptiveAvgPool2d", "output_size=(1, 1)", count.Pool))
	return newModule("", "ImageClassifier", t.backboneModule(), neck, t.headModule()).initialized(details.ClassifierInit), nil
}

func newModule(name, class string, children ...*Module) *Module {
	m := &Module{Name: name, Type: class, Children: children}
	for _, c := range children {
		m.Cost = m.Cost.Plus(c.Cost)
	}
	return m
}

func leaf(name, class, extra string, cost model.Cost) *Module {
	return &Module{Name: name, Type: class, Extra: extra, Cost: cost}
}

// initialized adds an init_cfg to the module.
func (m *Module) initialized(init string) *Module {
	m.Init = init
	return m
}

type treeBuilder struct {
	plan    *model.Plan
	count   *model.Count
	details *Details
}

func (t *treeBuilder) backboneModule() *Module {
	stem := t.block(0, "stem")
	parts := []*Module{stem}
	stage, blocks := "", []*Module(nil)
	for i := 1; i < len(t.plan.Blocks); i++ {
		// backbone.stage_1.0
		name := strings.Split(t.plan.Blocks[i].Name, ".")
		if name[1] != stage && blocks != nil {
			parts = append(parts, newModule(stage, "Sequential", blocks...))
			blocks = nil
		}
		stage = name[1]
		// The original passes the backbone's init_cfg to all blocks except the stem.
		blocks = append(blocks, t.block(i, name[2]).initialized(t.details.BackboneInit))
	}
	parts = append(parts, newModule(stage, "Sequential", blocks...))
	return newModule("backbone", "RepVGG", parts...).initialized(t.details.BackboneInit)
}

func (t *treeBuilder) block(i int, name string) *Module {
	b, cost := &t.plan.Blocks[i], &t.count.Blocks[i]
	var parts []*Module
	if t.plan.Form == model.Deploy {
		parts = append(parts, leaf("branch_reparam", "Conv2d", convArguments(b.Conv, true), cost.Folded))
	} else {
		parts = t.branches(b, cost)
	}
	if b.SE != nil {
		parts = append(parts, seModule(b, &cost.SE))
	}
	inplace := ""
	if t.details.Inplace {
		inplace = "inplace=True"
	}
	parts = append(parts, leaf("act", "ReLU", inplace, cost.Activation))
	return newModule(name, "RepVGGBlock", parts...)
}

// branches returns the branches' modules in the order in which the original
// registers them: the identity first.
func (t *treeBuilder) branches(b *model.Block, cost *model.BlockCost) []*Module {
	norm := func(name string, n *model.Norm, cost model.Cost) *Module {
		return leaf(name, "BatchNorm2d", fmt.Sprintf("%d, eps=%s, momentum=%s, affine=True, track_running_stats=True",
			b.Out, value.Format(n.Eps), t.details.Momentum), cost)
	}
	var first, parts []*Module
	for i := range b.Branches {
		branch, c := &b.Branches[i], cost.Branches[i]
		if branch.Identity() {
			first = append(first, norm(branch.Name, branch.Norm, c.Norm))
			continue
		}
		parts = append(parts, newModule(branch.Name, "Sequential",
			leaf("conv", "Conv2d", convArguments(*branch.Conv, false), c.Conv), norm("norm", branch.Norm, c.Norm)))
	}
	return append(first, parts...)
}

func seModule(b *model.Block, cost *model.SECost) *Module {
	reduce, expand := model.Linear(b.Out, b.SE.Channels), model.Linear(b.SE.Channels, b.Out)
	return newModule(b.SE.Name, "SELayer",
		leaf("global_avgpool", "AdaptiveAvgPool2d", "output_size=1", cost.Pool),
		newModule("conv1", "ConvModule", leaf("conv", "Conv2d", convArguments(reduce, true), cost.Reduce), leaf("activate", "ReLU", "inplace=True", cost.ReLU)),
		newModule("conv2", "ConvModule", leaf("conv", "Conv2d", convArguments(expand, true), cost.Expand), leaf("activate", "Sigmoid", "", model.Cost{})))
}

func (t *treeBuilder) headModule() *Module {
	loss := leaf("compute_loss", t.details.Loss, "", model.Cost{})
	if loss.Type == "LabelSmoothLoss" {
		loss.Children = []*Module{leaf("ce", "CrossEntropyLoss", "", model.Cost{})}
	}
	fc := fmt.Sprintf("in_features=%d, out_features=%d, bias=True", t.plan.Head.Features, t.plan.Head.Classes)
	return newModule("head", "LinearClsHead",
		loss, leaf("compute_accuracy", "Accuracy", "", model.Cost{}), leaf("fc", "Linear", fc, t.count.Head)).initialized(t.details.HeadInit)
}

// convArguments returns the arguments of a convolution as PyTorch prints them,
// without default values.
func convArguments(c model.Conv, bias bool) string {
	text := fmt.Sprintf("%d, %d, kernel_size=(%d, %d), stride=(%[5]d, %[5]d)", c.In, c.Out, c.KernelH, c.KernelW, c.Stride)
	if c.PadH > 0 || c.PadW > 0 {
		text += fmt.Sprintf(", padding=(%d, %d)", c.PadH, c.PadW)
	}
	if c.Dilation > 1 {
		text += fmt.Sprintf(", dilation=(%[1]d, %[1]d)", c.Dilation)
	}
	if c.Groups > 1 {
		text += fmt.Sprintf(", groups=%d", c.Groups)
	}
	if !bias {
		text += ", bias=False"
	}
	return text
}
