package model

import (
	"maps"
	"slices"

	"repvgg/internal/config"
)

// Bounds on what a config may ask for. The largest published variant has 47
// blocks and 2560 channels; these keep a mistyped number from allocating
// without end.
const (
	maxBlocks   = 1024
	maxChannels = 1 << 16
)

// The parts of an mmcls config that say what the network is. Keys that only
// concern training are not read.
type (
	typeConfig struct {
		Type string `config:"type,required"`
	}
	normConfig struct {
		Type string  `config:"type,required"`
		Eps  float64 `config:"eps"`
	}
	backboneConfig struct {
		Type         string       `config:"type,required"`
		Arch         config.Value `config:"arch,required"`
		InChannels   int          `config:"in_channels"`
		BaseChannels int          `config:"base_channels"`
		OutIndices   []int        `config:"out_indices"`
		Strides      []int        `config:"strides"`
		Dilations    []int        `config:"dilations"`
		ConvCfg      *typeConfig  `config:"conv_cfg"`
		NormCfg      normConfig   `config:"norm_cfg"`
		ActCfg       typeConfig   `config:"act_cfg"`
		Deploy       bool         `config:"deploy"`
		AddPPF       bool         `config:"add_ppf"`
	}
	archConfig struct {
		NumBlocks    []int        `config:"num_blocks,required"`
		WidthFactor  []float64    `config:"width_factor,required"`
		GroupLayers  *map[int]int `config:"group_layer_map"`
		SE           config.Value `config:"se_cfg"`
		StemChannels int          `config:"stem_channels"`
	}
	seConfig struct {
		Ratio   int `config:"ratio"`
		Divisor int `config:"divisor"`
	}
	headConfig struct {
		Type       string `config:"type,required"`
		NumClasses int    `config:"num_classes,required"`
		InChannels int    `config:"in_channels,required"`
	}
)

// FromConfig builds the plan that a config's `model` describes: an
// ImageClassifier of a RepVGG backbone, GlobalAveragePooling and a
// LinearClsHead. Its form is the one that the config's `deploy` asks for.
func FromConfig(cfg *config.Config) (*Plan, error) {
	root, err := cfg.Root().Section("model")
	if err != nil {
		return nil, err
	}
	if err := wantType(root, "ImageClassifier"); err != nil {
		return nil, err
	}
	// A key that the original's classes don't have is an error there too: it
	// would leave a misspelt one at its default.
	if err := root.Known("backbone", "neck", "head", "pretrained", "train_cfg", "init_cfg"); err != nil {
		return nil, err
	}
	backbone, err := root.Section("backbone")
	if err != nil {
		return nil, err
	}
	p, err := backbonePlan(backbone)
	if err != nil {
		return nil, err
	}
	if err := checkNeck(root); err != nil {
		return nil, err
	}
	head, err := root.Section("head")
	if err != nil {
		return nil, err
	}
	if p.Head, err = headFromConfig(head, p.Blocks[p.Depth-1].Out); err != nil {
		return nil, err
	}
	return p, nil
}

func checkNeck(root config.Section) error {
	neck, err := root.Section("neck")
	if err != nil {
		return err
	}
	if err := wantType(neck, "GlobalAveragePooling"); err != nil {
		return err
	}
	c := struct {
		Dim int `config:"dim"`
	}{2}
	if err := neck.DecodeStrict(&c); err != nil {
		return err
	}
	if c.Dim != 2 {
		return neck.Errorf("dim", "want 2, for images, got %d", c.Dim)
	}
	return nil
}

func wantType(s config.Section, want string) error {
	var t typeConfig
	if err := s.Decode(&t); err != nil {
		return err
	}
	if t.Type != want {
		return s.Errorf("type", "want %q, got %q; repvgg runs RepVGG image classifiers", want, t.Type)
	}
	return nil
}

func headFromConfig(s config.Section, features int) (*Head, error) {
	if err := wantType(s, "LinearClsHead"); err != nil {
		return nil, err
	}
	if err := s.Known("num_classes", "in_channels", "loss", "topk", "cal_acc", "init_cfg"); err != nil {
		return nil, err
	}
	var c headConfig
	if err := s.Decode(&c); err != nil {
		return nil, err
	}
	if c.NumClasses < 1 || c.NumClasses > 1<<20 {
		return nil, s.Errorf("num_classes", "want a positive number of classes, got %d", c.NumClasses)
	}
	if c.InChannels != features {
		return nil, s.Errorf("in_channels", "the backbone gives %d channels, but the head takes %d", features, c.InChannels)
	}
	return &Head{Features: c.InChannels, Classes: c.NumClasses}, nil
}

// defaultBackbone has what a config need not say.
func defaultBackbone() backboneConfig {
	return backboneConfig{
		InChannels:   3,
		BaseChannels: 64,
		OutIndices:   []int{3},
		Strides:      []int{2, 2, 2, 2},
		Dilations:    []int{1, 1, 1, 1},
		NormCfg:      normConfig{Type: "BN", Eps: 1e-5},
		ActCfg:       typeConfig{Type: "ReLU"},
	}
}

func backbonePlan(s config.Section) (*Plan, error) {
	c := defaultBackbone()
	if err := wantType(s, "RepVGG"); err != nil {
		return nil, err
	}
	if err := s.Known("arch", "in_channels", "base_channels", "out_indices", "strides", "dilations", "frozen_stages",
		"conv_cfg", "norm_cfg", "act_cfg", "with_cp", "deploy", "norm_eval", "add_ppf", "init_cfg"); err != nil {
		return nil, err
	}
	if err := s.Decode(&c); err != nil {
		return nil, err
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	for key, known := range map[string][]string{
		"norm_cfg": {"eps", "momentum", "affine", "track_running_stats", "requires_grad"},
		"act_cfg":  {"inplace"},
	} {
		if inner, err := s.Section(key); err == nil {
			if err := inner.Known(known...); err != nil {
				return nil, err
			}
		}
	}
	arch, err := archFromConfig(s, c.Arch)
	if err != nil {
		return nil, err
	}
	if err := arch.check(s, &c); err != nil {
		return nil, err
	}
	return assemble(arch, &c), nil
}

// check refuses what cannot be run faithfully.
func (c *backboneConfig) check(s config.Section) error {
	switch {
	case c.AddPPF:
		return s.Errorf("add_ppf", "the MTSPPF layer is not supported")
	case c.ConvCfg != nil && c.ConvCfg.Type != "Conv2d" && c.ConvCfg.Type != "Conv":
		return s.Errorf("conv_cfg.type", "want 'Conv2d', got %q", c.ConvCfg.Type)
	case !slices.Contains([]string{"BN", "BN2d", "SyncBN", "MMSyncBN"}, c.NormCfg.Type):
		return s.Errorf("norm_cfg.type", "want 'BN' or 'SyncBN', got %q; only batch normalization can be fused", c.NormCfg.Type)
	case !(c.NormCfg.Eps >= 0 && c.NormCfg.Eps < 1):
		return s.Errorf("norm_cfg.eps", "want a small positive number, got %v", c.NormCfg.Eps)
	case c.ActCfg.Type != "ReLU":
		return s.Errorf("act_cfg.type", "want 'ReLU', got %q", c.ActCfg.Type)
	case !inRange(c.InChannels, maxChannels):
		return s.Errorf("in_channels", "want a number of channels, got %d", c.InChannels)
	case !inRange(c.BaseChannels, maxChannels):
		return s.Errorf("base_channels", "want a number of channels, got %d", c.BaseChannels)
	}
	return nil
}

func inRange(n, limit int) bool { return n >= 1 && n <= limit }

func archFromConfig(s config.Section, value config.Value) (Arch, error) {
	switch v := value.(type) {
	case string:
		arch, err := namedArch(v)
		if err != nil {
			return Arch{}, s.Errorf("arch", "%w", err)
		}
		return arch, nil
	case *config.Dict:
		section, err := s.Section("arch")
		if err != nil {
			return Arch{}, err
		}
		c := archConfig{StemChannels: defaultStemChannels}
		if err := section.Decode(&c); err != nil {
			return Arch{}, err
		}
		arch := Arch{NumBlocks: c.NumBlocks, WidthFactor: c.WidthFactor, StemChannels: c.StemChannels}
		if c.GroupLayers != nil {
			arch.GroupLayers = *c.GroupLayers
		}
		if c.SE != nil {
			arch.SE, err = seFromConfig(section)
		}
		return arch, err
	}
	return Arch{}, s.Errorf("arch", "want the name of an architecture or a dict, got %s", config.Format(value))
}

func seFromConfig(arch config.Section) (*SE, error) {
	s, err := arch.Section("se_cfg")
	if err != nil {
		return nil, err
	}
	c := seConfig{Ratio: 16, Divisor: 8} // mmcv's defaults
	if err := s.DecodeStrict(&c); err != nil {
		return nil, err
	}
	if !inRange(c.Ratio, maxChannels) || !inRange(c.Divisor, maxChannels) {
		return nil, arch.Errorf("se_cfg", "want positive ratio and divisor, got %d and %d", c.Ratio, c.Divisor)
	}
	return &SE{Ratio: c.Ratio, Divisor: c.Divisor}, nil
}

// check refuses what would not build, with the place in the config.
func (a *Arch) check(s config.Section, c *backboneConfig) error {
	stages := len(a.NumBlocks)
	if stages == 0 || stages > 16 {
		return s.Errorf("arch.num_blocks", "want a number of blocks for each of 1 to 16 stages, got %v", a.NumBlocks)
	}
	for _, list := range []struct {
		key    string
		values int
	}{{"arch.width_factor", len(a.WidthFactor)}, {"strides", len(c.Strides)}, {"dilations", len(c.Dilations)}} {
		if list.values != stages {
			return s.Errorf(list.key, "want one value for each of the %d stages, got %d", stages, list.values)
		}
	}
	if len(c.OutIndices) == 0 || slices.Min(c.OutIndices) < 0 || slices.Max(c.OutIndices) >= stages {
		return s.Errorf("out_indices", "want stages from 0 to %d, got %v", stages-1, c.OutIndices)
	}
	blocks := 0
	for i := range stages {
		switch {
		case !inRange(a.NumBlocks[i], maxBlocks):
			return s.Errorf("arch.num_blocks", "want positive numbers of blocks, got %v", a.NumBlocks)
		case !(a.WidthFactor[i] > 0 && a.WidthFactor[i] <= maxChannels) || !inRange(a.width(c, i), maxChannels):
			return s.Errorf("arch.width_factor", "stage %d would have %v channels", i, float64(c.BaseChannels<<i)*a.WidthFactor[i])
		case !inRange(c.Strides[i], 16):
			return s.Errorf("strides", "want positive strides, got %v", c.Strides)
		case !inRange(c.Dilations[i], 1024):
			return s.Errorf("dilations", "want positive dilations, got %v", c.Dilations)
		}
		blocks += a.NumBlocks[i]
	}
	if blocks > maxBlocks {
		return s.Errorf("arch.num_blocks", "want at most %d blocks, got %d", maxBlocks, blocks)
	}
	if !inRange(a.StemChannels, maxChannels) {
		return s.Errorf("arch.stem_channels", "want a number of channels, got %d", a.StemChannels)
	}
	return a.checkGroups(s, c, blocks)
}

func (a *Arch) checkGroups(s config.Section, c *backboneConfig, blocks int) error {
	for _, index := range slices.Sorted(maps.Keys(a.GroupLayers)) {
		groups := a.GroupLayers[index]
		if index < 1 || groups < 1 || groups > maxChannels {
			return s.Errorf("arch.group_layer_map", "want {block from 1: groups}, got {%d: %d}", index, groups)
		}
		// The published maps reach beyond the last block of shallow nets; the
		// original refuses such a map only where it is spelled out.
		if _, named := c.Arch.(string); !named && index > blocks {
			return s.Errorf("arch.group_layer_map", "block %d does not exist: there are %d blocks", index, blocks)
		}
	}
	for i, b := range assemble(*a, c).Blocks {
		if b.In%b.Groups != 0 || b.Out%b.Groups != 0 {
			return s.Errorf("arch.group_layer_map", "block %d has %d input and %d output channels, which %d groups do not divide", i, b.In, b.Out, b.Groups)
		}
	}
	return nil
}

func (a *Arch) width(c *backboneConfig, stage int) int {
	return int(float64(c.BaseChannels<<stage) * a.WidthFactor[stage])
}

// assemble lays the checked architecture out as a list of blocks.
func assemble(a Arch, c *backboneConfig) *Plan {
	p := &Plan{InChannels: c.InChannels}
	if c.Deploy {
		p.Form = Deploy
	}
	add := func(name string, in, out, stride, dilation int) {
		b := Block{Name: name, In: in, Out: out, Stride: stride, Dilation: dilation, Groups: 1, Eps: c.NormCfg.Eps}
		if g, ok := a.GroupLayers[len(p.Blocks)]; ok {
			b.Groups = g
		}
		b.Identity = in == out && stride == 1
		if a.SE != nil {
			b.Squeeze = a.SE.squeezeChannels(out)
		}
		p.Blocks = append(p.Blocks, b)
	}
	channels := min(a.StemChannels, a.width(c, 0))
	add("backbone.stem", c.InChannels, channels, 2, 1)
	for stage, n := range a.NumBlocks {
		out := a.width(c, stage)
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
	return p
}
