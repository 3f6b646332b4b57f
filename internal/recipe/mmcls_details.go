package recipe

import (
	"repvgg/internal/config"
	"repvgg/internal/config/value"
	"repvgg/internal/flops"
)

// The keys of model that only affect the printed tree of modules.
type (
	classifierDetails struct {
		InitCfg    value.Value `config:"init_cfg"`
		Pretrained value.Value `config:"pretrained"`
	}
	backboneDetails struct {
		InitCfg value.Value `config:"init_cfg"`
		NormCfg struct {
			Momentum value.Value `config:"momentum"`
		} `config:"norm_cfg"`
		ActCfg struct {
			Inplace bool `config:"inplace"`
		} `config:"act_cfg"`
	}
	headDetails struct {
		InitCfg value.Value `config:"init_cfg"`
		Loss    typed       `config:"loss"`
	}
)

// mmclsDetails reads the properties that only the tree of modules shows. The
// defaults are those of the original's classes.
func mmclsDetails(cfg *config.Config) (*flops.Details, error) {
	var classifier classifierDetails
	backbone := backboneDetails{InitCfg: value.List{
		dict("type", "Kaiming", "layer", value.List{"Conv2d"}),
		dict("type", "Constant", "val", int64(1), "layer", value.List{"_BatchNorm", "GroupNorm"}),
	}}
	backbone.NormCfg.Momentum = 0.1
	head := headDetails{InitCfg: dict("type", "Normal", "layer", "Linear", "std", 0.01), Loss: typed{"CrossEntropyLoss"}}
	for _, part := range []struct {
		path []string
		keys any
	}{
		{[]string{"model"}, &classifier}, {[]string{"model", "backbone"}, &backbone}, {[]string{"model", "head"}, &head},
	} {
		section, err := at(cfg, part.path...)
		if err != nil {
			return nil, err
		}
		if err := section.Decode(part.keys); err != nil {
			return nil, err
		}
	}
	if classifier.Pretrained != nil {
		classifier.InitCfg = dict("type", "Pretrained", "checkpoint", classifier.Pretrained)
	}
	return &flops.Details{
		ClassifierInit: initText(classifier.InitCfg), BackboneInit: initText(backbone.InitCfg), HeadInit: initText(head.InitCfg),
		Momentum: value.Format(backbone.NormCfg.Momentum), Inplace: backbone.ActCfg.Inplace, Loss: head.Loss.Type,
	}, nil
}

// dict returns a dict of alternating keys and values.
func dict(items ...value.Value) *value.Dict {
	d := new(value.Dict)
	for i := 0; i < len(items); i += 2 {
		d.Set(items[i], items[i+1])
	}
	return d
}

// initText returns the text of an init_cfg, or "" if Python considers the value
// false.
func initText(init value.Value) string {
	items, isList := value.Items(init)
	d, isDict := init.(*value.Dict)
	if init == nil || isList && len(items) == 0 || isDict && d.Len() == 0 {
		return ""
	}
	return value.Format(init)
}
