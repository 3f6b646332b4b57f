package recipe

import (
	"repvgg/internal/config"
	"repvgg/internal/flops"
	"repvgg/internal/model"
	"repvgg/internal/preprocess"
)

// A dialect is a way of writing configs. Errors of its functions name the place in
// the config.
type dialect struct {
	// detect reports whether a config is written so. It looks at keys alone.
	detect func(*config.Config) bool
	// network reads the network, and the name of its architecture if it has one.
	network func(*config.Config) (plan *model.Plan, arch string, err error)
	// details reads what only a printed tree of modules shows of the network.
	details func(*config.Config) (*flops.Details, error)
	// pipeline reads what images go through, and data which images there are.
	pipeline func(*config.Config) (*preprocess.Pipeline, error)
	data     func(*config.Config) (*Data, error)
	// images is the path of the part of a config that is about images, and dataset
	// that of the data set in it, which pipeline does not read but for the steps:
	// data and data.test.
	images, dataset string
}

// dialects are tried in this order. The last one takes every config, and says what
// it lacks.
var dialects = []*dialect{mmcls}

// typed is the key that says what a dict describes.
type typed struct {
	Type string `config:"type,required"`
}

// at is the section at a path of keys.
func at(cfg *config.Config, keys ...string) (config.Section, error) {
	s := cfg.Root()
	for _, key := range keys {
		var err error
		if s, err = s.Section(key); err != nil {
			return config.Section{}, err
		}
	}
	return s, nil
}
