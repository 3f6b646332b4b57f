// Package flops shows a network as MMClassification's get_flops.py does: the tree
// of its modules with what each of them costs.
package flops

import (
	"fmt"
	"strings"

	"repvgg/internal/config"
	"repvgg/internal/model"
	"repvgg/internal/recipe"
)

// Module is one of the modules that the original builds of a config, with its
// cost for one image, for the tree that its get_flops.py prints.
type Module struct {
	// Name is that of the parent's attribute: conv. The root has none.
	Name string
	// Type is the class: Conv2d.
	Type string
	// Extra are the arguments that PyTorch shows of a module.
	Extra string
	// Init is the init_cfg that mmcv shows behind a module, as Python writes
	// it, or empty.
	Init string
	// Cost includes that of Children.
	Cost     model.Cost
	Children []*Module
}

// moduleConfig are the parts of a config that the tree shows and Plan lacks,
// since they don't matter to the result.
type (
	rootModuleConfig struct {
		InitCfg    config.Value `config:"init_cfg"`
		Pretrained config.Value `config:"pretrained"`
	}
	backboneModuleConfig struct {
		InitCfg config.Value `config:"init_cfg"`
		NormCfg struct {
			Momentum config.Value `config:"momentum"`
		} `config:"norm_cfg"`
		ActCfg struct {
			Inplace bool `config:"inplace"`
		} `config:"act_cfg"`
	}
	headModuleConfig struct {
		InitCfg config.Value `config:"init_cfg"`
		Loss    struct {
			Type string `config:"type,required"`
		} `config:"loss"`
	}
)

// Tree is the tree of modules of the network that a config describes,
// counted for one image of h x w: its Cost is the Total of Plan.Count.
func Tree(cfg *config.Config, h, w int) (*Module, error) {
	plan, err := recipe.Network(cfg)
	if err != nil {
		return nil, err
	}
	count, err := plan.Count(h, w)
	if err != nil {
		return nil, err
	}
	// recipe.Network has found all of these sections.
	var sections [3]config.Section
	for i, key := range []string{"model", "model.backbone", "model.head"} {
		s := cfg.Root()
		for part := range strings.SplitSeq(key, ".") {
			if s, err = s.Section(part); err != nil {
				return nil, err
			}
		}
		sections[i] = s
	}
	var root rootModuleConfig
	if err := sections[0].Decode(&root); err != nil {
		return nil, err
	}
	t := treeBuilder{plan: plan, count: count}
	t.backbone.InitCfg = defaultInit()
	t.backbone.NormCfg.Momentum = 0.1
	if err := sections[1].Decode(&t.backbone); err != nil {
		return nil, err
	}
	t.head.InitCfg = dict("type", "Normal", "layer", "Linear", "std", 0.01)
	t.head.Loss.Type = "CrossEntropyLoss"
	if err := sections[2].Decode(&t.head); err != nil {
		return nil, err
	}
	init := root.InitCfg
	if root.Pretrained != nil {
		init = dict("type", "Pretrained", "checkpoint", root.Pretrained)
	}
	neck := newModule("neck", "GlobalAveragePooling", leaf("gap", "AdaptiveAvgPool2d", "output_size=(1, 1)", count.Pool))
	return newModule("", "ImageClassifier", t.backboneModule(), neck, t.headModule()).initialized(init), nil
}

// defaultInit is the init_cfg that the original gives a RepVGG backbone.
func defaultInit() config.Value {
	return config.List{
		dict("type", "Kaiming", "layer", config.List{"Conv2d"}),
		dict("type", "Constant", "val", int64(1), "layer", config.List{"_BatchNorm", "GroupNorm"}),
	}
}

// dict makes a dict of keys and values in turn.
func dict(items ...config.Value) *config.Dict {
	d := new(config.Dict)
	for i := 0; i < len(items); i += 2 {
		d.Set(items[i], items[i+1])
	}
	return d
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

// initialized adds an init_cfg, unless it is what Python takes for false.
func (m *Module) initialized(init config.Value) *Module {
	switch v := init.(type) {
	case nil:
		return m
	case config.List:
		if len(v) == 0 {
			return m
		}
	case *config.Dict:
		if v.Len() == 0 {
			return m
		}
	}
	m.Init = config.Format(init)
	return m
}

type treeBuilder struct {
	plan     *model.Plan
	count    *model.Count
	backbone backboneModuleConfig
	head     headModuleConfig
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
		// The original passes the backbone's init_cfg on to all but the stem.
		blocks = append(blocks, t.block(i, name[2]).initialized(t.backbone.InitCfg))
	}
	parts = append(parts, newModule(stage, "Sequential", blocks...))
	return newModule("backbone", "RepVGG", parts...).initialized(t.backbone.InitCfg)
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
	if t.backbone.ActCfg.Inplace {
		inplace = "inplace=True"
	}
	parts = append(parts, leaf("act", "ReLU", inplace, cost.Activation))
	return newModule(name, "RepVGGBlock", parts...)
}

// branches are in the order in which the original registers them: the identity
// first.
func (t *treeBuilder) branches(b *model.Block, cost *model.BlockCost) []*Module {
	norm := func(name string, n *model.Norm, cost model.Cost) *Module {
		return leaf(name, "BatchNorm2d", fmt.Sprintf("%d, eps=%s, momentum=%s, affine=True, track_running_stats=True",
			b.Out, config.Format(n.Eps), config.Format(t.backbone.NormCfg.Momentum)), cost)
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
	loss := leaf("compute_loss", t.head.Loss.Type, "", model.Cost{})
	if loss.Type == "LabelSmoothLoss" {
		loss.Children = []*Module{leaf("ce", "CrossEntropyLoss", "", model.Cost{})}
	}
	fc := fmt.Sprintf("in_features=%d, out_features=%d, bias=True", t.plan.Head.Features, t.plan.Head.Classes)
	return newModule("head", "LinearClsHead",
		loss, leaf("compute_accuracy", "Accuracy", "", model.Cost{}), leaf("fc", "Linear", fc, t.count.Head)).initialized(t.head.InitCfg)
}

// convArguments are those of a convolution, as PyTorch shows them: without those
// that have its defaults.
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
