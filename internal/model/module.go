package model

import (
	"fmt"
	"strings"

	"repvgg/internal/config"
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
	Cost     Cost
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
		Loss    typeConfig   `config:"loss"`
	}
)

// ModuleTree is the tree of modules of the network that a config describes,
// counted for one image of h x w: its Cost is the Total of Plan.Count.
func ModuleTree(cfg *config.Config, h, w int) (*Module, error) {
	plan, err := FromConfig(cfg)
	if err != nil {
		return nil, err
	}
	count, err := plan.Count(h, w)
	if err != nil {
		return nil, err
	}
	// FromConfig has found all of these sections.
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

func leaf(name, class, extra string, cost Cost) *Module {
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
	plan     *Plan
	count    *Count
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
	b, bc := &t.plan.Blocks[i], &t.count.Blocks[i]
	costs := b.parts(t.plan.Form, int64(bc.OutH)*int64(bc.OutW))
	norm := func(name string, cost Cost) *Module {
		return leaf(name, "BatchNorm2d", fmt.Sprintf("%d, eps=%s, momentum=%s, affine=True, track_running_stats=True",
			b.Out, config.Format(b.Eps), config.Format(t.backbone.NormCfg.Momentum)), cost)
	}
	var parts []*Module
	if t.plan.Form == Deploy {
		parts = append(parts, leaf("branch_reparam", "Conv2d", b.convArguments(3, true), costs.reparam))
	} else {
		if b.Identity {
			parts = append(parts, norm("branch_norm", costs.identity))
		}
		parts = append(parts,
			newModule("branch_3x3", "Sequential", leaf("conv", "Conv2d", b.convArguments(3, false), costs.conv3), norm("norm", costs.norm3)),
			newModule("branch_1x1", "Sequential", leaf("conv", "Conv2d", b.convArguments(1, false), costs.conv1), norm("norm", costs.norm1)))
	}
	if b.Squeeze > 0 {
		parts = append(parts, b.seModule(costs))
	}
	inplace := ""
	if t.backbone.ActCfg.Inplace {
		inplace = "inplace=True"
	}
	parts = append(parts, leaf("act", "ReLU", inplace, costs.act))
	return newModule(name, "RepVGGBlock", parts...)
}

func (b *Block) seModule(costs blockParts) *Module {
	reduce := convArguments{in: b.Out, out: b.Squeeze, kernel: 1, stride: 1, bias: true}
	expand := reduce
	expand.in, expand.out = b.Squeeze, b.Out
	return newModule("se_layer", "SELayer",
		leaf("global_avgpool", "AdaptiveAvgPool2d", "output_size=1", costs.sePool),
		newModule("conv1", "ConvModule", leaf("conv", "Conv2d", reduce.String(), costs.seReduce), leaf("activate", "ReLU", "inplace=True", costs.seReLU)),
		newModule("conv2", "ConvModule", leaf("conv", "Conv2d", expand.String(), costs.seExpand), leaf("activate", "Sigmoid", "", Cost{})))
}

func (t *treeBuilder) headModule() *Module {
	loss := leaf("compute_loss", t.head.Loss.Type, "", Cost{})
	if loss.Type == "LabelSmoothLoss" {
		loss.Children = []*Module{leaf("ce", "CrossEntropyLoss", "", Cost{})}
	}
	fc := fmt.Sprintf("in_features=%d, out_features=%d, bias=True", t.plan.Head.Features, t.plan.Head.Classes)
	return newModule("head", "LinearClsHead",
		loss, leaf("compute_accuracy", "Accuracy", "", Cost{}), leaf("fc", "Linear", fc, t.count.Head)).initialized(t.head.InitCfg)
}

// convArguments of a block's convolution, as PyTorch shows them.
func (b *Block) convArguments(kernel int, bias bool) string {
	a := convArguments{in: b.In, out: b.Out, kernel: kernel, stride: b.Stride, groups: b.Groups, bias: bias}
	if kernel > 1 {
		a.padding, a.dilation = b.Dilation, b.Dilation
	}
	return a.String()
}

type convArguments struct {
	in, out, kernel, stride, padding, dilation, groups int

	bias bool
}

// String shows those that differ from PyTorch's defaults, as it does.
func (a convArguments) String() string {
	text := fmt.Sprintf("%d, %d, kernel_size=(%[3]d, %[3]d), stride=(%[4]d, %[4]d)", a.in, a.out, a.kernel, a.stride)
	if a.padding > 0 {
		text += fmt.Sprintf(", padding=(%[1]d, %[1]d)", a.padding)
	}
	if a.dilation > 1 {
		text += fmt.Sprintf(", dilation=(%[1]d, %[1]d)", a.dilation)
	}
	if a.groups > 1 {
		text += fmt.Sprintf(", groups=%d", a.groups)
	}
	if !a.bias {
		text += ", bias=False"
	}
	return text
}
