package recipe

import (
	"errors"
	"slices"

	"repvgg/internal/config"
	"repvgg/internal/config/value"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
)

// The keys of model that define the network. Keys that only affect training are not
// read.
type (
	normConfig struct {
		Type string  `config:"type,required"`
		Eps  float64 `config:"eps"`
	}
	backboneConfig struct {
		Type         string      `config:"type,required"`
		Arch         value.Value `config:"arch,required"`
		InChannels   int         `config:"in_channels"`
		BaseChannels int         `config:"base_channels"`
		OutIndices   []int       `config:"out_indices"`
		Strides      []int       `config:"strides"`
		Dilations    []int       `config:"dilations"`
		ConvCfg      *typed      `config:"conv_cfg"`
		NormCfg      normConfig  `config:"norm_cfg"`
		ActCfg       typed       `config:"act_cfg"`
		Deploy       bool        `config:"deploy"`
		AddPPF       bool        `config:"add_ppf"`
	}
	archConfig struct {
		NumBlocks    []int        `config:"num_blocks,required"`
		WidthFactor  []float64    `config:"width_factor,required"`
		GroupLayers  *map[int]int `config:"group_layer_map"`
		SE           value.Value  `config:"se_cfg"`
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

// mmclsNetwork reads the network in model: an ImageClassifier with a RepVGG
// backbone, GlobalAveragePooling and a LinearClsHead. Its form is the one that the
// backbone's deploy asks for. arch is the name of the architecture, if it has one.
func mmclsNetwork(cfg *config.Config) (p *model.Plan, arch string, err error) {
	root, err := at(cfg, "model")
	if err != nil {
		return nil, "", err
	}
	if err := wantType(root, "ImageClassifier"); err != nil {
		return nil, "", err
	}
	// Unknown keys are errors, as in the original. Otherwise a misspelt key would have
	// no effect.
	if err := root.Known("backbone", "neck", "head", "pretrained", "train_cfg", "init_cfg"); err != nil {
		return nil, "", err
	}
	backbone, err := root.Section("backbone")
	if err != nil {
		return nil, "", err
	}
	c, err := readBackbone(backbone)
	if err != nil {
		return nil, "", err
	}
	// Report the backbone's errors before those of the neck and the head.
	features, err := assemble(backbone, *c)
	if err != nil {
		return nil, "", err
	}
	if err := checkNeck(root); err != nil {
		return nil, "", err
	}
	head, err := root.Section("head")
	if err != nil {
		return nil, "", err
	}
	if c.Classes, err = readHead(head, features.Blocks[features.Depth-1].Out); err != nil {
		return nil, "", err
	}
	p, err = assemble(head, *c)
	return p, c.Arch.Name, err
}

// assemble builds the network. An error names the place in section s.
func assemble(s config.Section, c repvgg.Config) (*model.Plan, error) {
	p, err := repvgg.Assemble(c)
	if field, ok := errors.AsType[*repvgg.FieldError](err); ok {
		return nil, s.Errorf(field.Field, "%s", field.Text)
	}
	return p, err
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
	var t typed
	if err := s.Decode(&t); err != nil {
		return err
	}
	if t.Type != want {
		return s.Errorf("type", "want %q, got %q; repvgg runs RepVGG image classifiers", want, t.Type)
	}
	return nil
}

// readHead reads the number of classes.
func readHead(s config.Section, features int) (classes int, err error) {
	if err := wantType(s, "LinearClsHead"); err != nil {
		return 0, err
	}
	if err := s.Known("num_classes", "in_channels", "loss", "topk", "cal_acc", "init_cfg"); err != nil {
		return 0, err
	}
	var c headConfig
	if err := s.Decode(&c); err != nil {
		return 0, err
	}
	if c.NumClasses < 1 {
		return 0, s.Errorf("num_classes", "want a positive number of classes, got %d", c.NumClasses)
	}
	if c.InChannels != features {
		return 0, s.Errorf("in_channels", "the backbone has %d output channels, but the head takes %d", features, c.InChannels)
	}
	return c.NumClasses, nil
}

// readBackbone reads the keys that define the features.
func readBackbone(s config.Section) (*repvgg.Config, error) {
	d := repvgg.Default()
	c := backboneConfig{
		InChannels: d.InChannels, BaseChannels: d.BaseChannels,
		OutIndices: d.OutIndices, Strides: d.Strides, Dilations: d.Dilations,
		NormCfg: normConfig{Type: "BN", Eps: d.Eps}, ActCfg: typed{"ReLU"},
	}
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
	arch, err := readArch(s, c.Arch)
	if err != nil {
		return nil, err
	}
	network := &repvgg.Config{
		Arch: arch, InChannels: c.InChannels, BaseChannels: c.BaseChannels,
		Strides: c.Strides, Dilations: c.Dilations, OutIndices: c.OutIndices, Eps: c.NormCfg.Eps,
	}
	if c.Deploy {
		network.Form = model.Deploy
	}
	return network, nil
}

// check refuses layers that we do not support.
func (c *backboneConfig) check(s config.Section) error {
	switch {
	case c.AddPPF:
		return s.Errorf("add_ppf", "the MTSPPF layer is not supported")
	case c.ConvCfg != nil && c.ConvCfg.Type != "Conv2d" && c.ConvCfg.Type != "Conv":
		return s.Errorf("conv_cfg.type", "want 'Conv2d', got %q", c.ConvCfg.Type)
	case !slices.Contains([]string{"BN", "BN2d", "SyncBN", "MMSyncBN"}, c.NormCfg.Type):
		return s.Errorf("norm_cfg.type", "want 'BN' or 'SyncBN', got %q; only batch normalization can be fused", c.NormCfg.Type)
	case c.ActCfg.Type != "ReLU":
		return s.Errorf("act_cfg.type", "want 'ReLU', got %q", c.ActCfg.Type)
	}
	return nil
}

// readArch reads an architecture, which is a name or a dict.
func readArch(s config.Section, named value.Value) (repvgg.Arch, error) {
	switch v := named.(type) {
	case string:
		arch, err := repvgg.NamedArch(v)
		if err != nil {
			return repvgg.Arch{}, s.Errorf("arch", "%w", err)
		}
		return arch, nil
	case *value.Dict:
		section, err := s.Section("arch")
		if err != nil {
			return repvgg.Arch{}, err
		}
		c := archConfig{StemChannels: repvgg.DefaultStemChannels}
		if err := section.Decode(&c); err != nil {
			return repvgg.Arch{}, err
		}
		arch := repvgg.Arch{NumBlocks: c.NumBlocks, WidthFactor: c.WidthFactor, StemChannels: c.StemChannels}
		if c.GroupLayers != nil {
			arch.GroupLayers = *c.GroupLayers
		}
		if c.SE != nil {
			arch.SE, err = readSE(section)
		}
		return arch, err
	}
	return repvgg.Arch{}, s.Errorf("arch", "want the name of an architecture or a dict, got %s", value.Format(named))
}

func readSE(arch config.Section) (*repvgg.SE, error) {
	s, err := arch.Section("se_cfg")
	if err != nil {
		return nil, err
	}
	c := seConfig{Ratio: 16, Divisor: 8} // mmcv's defaults
	if err := s.DecodeStrict(&c); err != nil {
		return nil, err
	}
	return &repvgg.SE{Ratio: c.Ratio, Divisor: c.Divisor}, nil
}
