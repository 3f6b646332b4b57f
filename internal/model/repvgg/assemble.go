package repvgg

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"repvgg/internal/model"
)

// Config is everything that determines what a RepVGG classifier computes.
type Config struct {
	Arch Arch
	Form model.Form
	// InChannels is the number of channels of the images. BaseChannels is multiplied by
	// the stages' width factors, and doubles from stage to stage.
	InChannels, BaseChannels int
	// Strides and Dilations are those of the stages. A stage's stride applies to its
	// first block.
	Strides, Dilations []int
	// OutIndices are the stages whose maps are outputs. The classifier takes the last
	// of them.
	OutIndices []int
	// Eps is the epsilon of the batch normalizations.
	Eps float64
	// Classes is the number of classes. 0 means a network that ends in a feature map.
	Classes int
}

// Default returns a config with the framework's default values: four stages, each
// of which halves the map.
func Default() Config {
	return Config{
		InChannels: 3, BaseChannels: 64,
		Strides: []int{2, 2, 2, 2}, Dilations: []int{1, 1, 1, 1}, OutIndices: []int{3},
		Eps: 1e-5,
	}
}

// Bounds on a config. The largest published variant has 47 blocks and 2560
// channels. The bounds keep a mistyped number from allocating too much memory.
const (
	maxBlocks   = 1024
	maxChannels = 1 << 16
	maxClasses  = 1 << 20
)

// FieldError is the error for a config that can't be assembled.
type FieldError struct {
	// Field is the wrong key, as frameworks name it in configs: arch.num_blocks.
	Field string
	Text  string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Text }

func fieldErrorf(field, format string, args ...any) *FieldError {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

func inRange(n, limit int) bool { return n >= 1 && n <= limit }

// Assemble checks a config and returns the plan of its network. Errors are of type
// FieldError.
func Assemble(c Config) (*model.Plan, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	p := c.assemble()
	p.Family = Family()
	for i := range p.Blocks {
		if b := &p.Blocks[i]; b.In%b.Groups != 0 || b.Out%b.Groups != 0 {
			return nil, fieldErrorf("arch.group_layer_map", "block %d has %d input and %d output channels, which %d groups do not divide", i, b.In, b.Out, b.Groups)
		}
	}
	return p, nil
}

// check returns an error if the config is invalid.
func (c *Config) check() error {
	a, stages := &c.Arch, len(c.Arch.NumBlocks)
	switch {
	case !inRange(c.InChannels, maxChannels):
		return fieldErrorf("in_channels", "want a number of channels, got %d", c.InChannels)
	case !inRange(c.BaseChannels, maxChannels):
		return fieldErrorf("base_channels", "want a number of channels, got %d", c.BaseChannels)
	case !(c.Eps >= 0 && c.Eps < 1):
		return fieldErrorf("norm_cfg.eps", "want a small positive number, got %v", c.Eps)
	case stages == 0 || stages > 16:
		return fieldErrorf("arch.num_blocks", "want a number of blocks for each of 1 to 16 stages, got %v", a.NumBlocks)
	}
	for _, list := range []struct {
		key    string
		values int
	}{{"arch.width_factor", len(a.WidthFactor)}, {"strides", len(c.Strides)}, {"dilations", len(c.Dilations)}} {
		if list.values != stages {
			return fieldErrorf(list.key, "want one value for each of the %d stages, got %d", stages, list.values)
		}
	}
	if len(c.OutIndices) == 0 || slices.Min(c.OutIndices) < 0 || slices.Max(c.OutIndices) >= stages {
		return fieldErrorf("out_indices", "want stages from 0 to %d, got %v", stages-1, c.OutIndices)
	}
	blocks := 0
	for i := range stages {
		switch {
		case !inRange(a.NumBlocks[i], maxBlocks):
			return fieldErrorf("arch.num_blocks", "want positive numbers of blocks, got %v", a.NumBlocks)
		case !(a.WidthFactor[i] > 0 && a.WidthFactor[i] <= maxChannels) || !inRange(c.width(i), maxChannels):
			return fieldErrorf("arch.width_factor", "stage %d would have %v channels", i, float64(c.BaseChannels<<i)*a.WidthFactor[i])
		case !inRange(c.Strides[i], 16):
			return fieldErrorf("strides", "want positive strides, got %v", c.Strides)
		case !inRange(c.Dilations[i], 1024):
			return fieldErrorf("dilations", "want positive dilations, got %v", c.Dilations)
		}
		blocks += a.NumBlocks[i]
	}
	if blocks > maxBlocks {
		return fieldErrorf("arch.num_blocks", "want at most %d blocks, got %d", maxBlocks, blocks)
	}
	if !inRange(a.StemChannels, maxChannels) {
		return fieldErrorf("arch.stem_channels", "want a number of channels, got %d", a.StemChannels)
	}
	if a.SE != nil && (!inRange(a.SE.Ratio, maxChannels) || !inRange(a.SE.Divisor, maxChannels)) {
		return fieldErrorf("arch.se_cfg", "want positive ratio and divisor, got %d and %d", a.SE.Ratio, a.SE.Divisor)
	}
	for _, index := range slices.Sorted(maps.Keys(a.GroupLayers)) {
		groups := a.GroupLayers[index]
		if index < 1 || groups < 1 || groups > maxChannels {
			return fieldErrorf("arch.group_layer_map", "want {block from 1: groups}, got {%d: %d}", index, groups)
		}
		// The published maps go beyond the last block of shallow networks. The original
		// refuses such a map only if it is spelled out.
		if a.Name == "" && index > blocks {
			return fieldErrorf("arch.group_layer_map", "block %d does not exist: there are %d blocks", index, blocks)
		}
	}
	if c.Classes < 0 || c.Classes > maxClasses {
		return fieldErrorf("num_classes", "want a positive number of classes, got %d", c.Classes)
	}
	return nil
}

// width returns the number of channels of a stage.
func (c *Config) width(stage int) int {
	return int(float64(c.BaseChannels<<stage) * c.Arch.WidthFactor[stage])
}

// assemble returns the plan of a valid config.
func (c *Config) assemble() *model.Plan {
	p := &model.Plan{Form: c.Form, InChannels: c.InChannels}
	add := func(name string, in, out, stride, dilation int) {
		groups := 1
		if g, ok := c.Arch.GroupLayers[len(p.Blocks)]; ok {
			groups = g
		}
		b := NewBlock(name, in, out, stride, dilation, groups, c.Eps)
		if c.Arch.SE != nil {
			b.SE = NewSE(name, c.Arch.SE.squeezeChannels(out))
		}
		p.Blocks = append(p.Blocks, b)
	}
	channels := min(c.Arch.StemChannels, c.width(0))
	add("backbone.stem", c.InChannels, channels, 2, 1)
	for stage, n := range c.Arch.NumBlocks {
		out := c.width(stage)
		for i := range n {
			stride := 1
			if i == 0 {
				stride = c.Strides[stage]
			}
			add(blockName(stage, i), channels, out, stride, c.Dilations[stage])
			channels = out
		}
		if stage == slices.Max(c.OutIndices) {
			p.Depth = len(p.Blocks)
		}
	}
	if c.Classes > 0 {
		p.Head = NewHead(p.Blocks[p.Depth-1].Out, c.Classes)
	}
	return p
}

// blockName returns a block's path in a plan. The stage and the index count from 0.
func blockName(stage, index int) string {
	return "backbone.stage_" + strconv.Itoa(stage+1) + "." + strconv.Itoa(index)
}

// The names of a block's modules in a plan, which are MMClassification's.
const (
	branch3x3  = "branch_3x3"
	branch1x1  = "branch_1x1"
	branchNorm = "branch_norm"
	reparam    = "branch_reparam"
	seLayer    = "se_layer"
)

// NewBlock returns a RepVGG block. Its branches are a 3x3 convolution, whose
// padding equals its dilation, a 1x1 convolution and, if the shapes allow it, the
// identity. Each has a batch normalization. A ReLU follows.
func NewBlock(name string, in, out, stride, dilation, groups int, eps float64) model.Block {
	three := model.Conv{In: in, Out: out, KernelH: 3, KernelW: 3, Stride: stride, PadH: dilation, PadW: dilation, Dilation: dilation, Groups: groups}
	branch := func(part string, c model.Conv) model.Branch {
		path := name + "." + part
		return model.Branch{Name: part, Conv: &c, Weight: path + ".conv.weight", Norm: &model.Norm{Name: path + ".norm", Eps: eps}}
	}
	b := model.Block{
		Name: name, Conv: three,
		Weight: name + "." + reparam + ".weight", Bias: name + "." + reparam + ".bias",
		Branches: []model.Branch{branch(branch3x3, three), branch(branch1x1, three.Pointwise())},
	}
	if in == out && stride == 1 {
		b.Branches = append(b.Branches, model.Branch{Name: branchNorm, Norm: &model.Norm{Name: name + "." + branchNorm, Eps: eps}})
	}
	return b
}

// NewSE returns the squeeze-and-excitation layer of a block.
func NewSE(block string, channels int) *model.SqueezeExcite {
	layer := func(part string) model.LinearNames {
		path := block + "." + seLayer + "." + part + ".conv"
		return model.LinearNames{Weight: path + ".weight", Bias: path + ".bias"}
	}
	return &model.SqueezeExcite{Channels: channels, Name: seLayer, Reduce: layer("conv1"), Expand: layer("conv2")}
}

// NewHead returns the classifier.
func NewHead(features, classes int) *model.Head {
	return &model.Head{Features: features, Classes: classes, LinearNames: model.LinearNames{Weight: "head.fc.weight", Bias: "head.fc.bias"}}
}

// Variant returns the plan of a published architecture, A0 to B3g4 or D2se, in its
// train form.
func Variant(name string, classes int) (*model.Plan, error) {
	arch, err := NamedArch(name)
	if err != nil {
		return nil, err
	}
	c := Default()
	c.Arch, c.Classes = arch, classes
	return Assemble(c)
}
