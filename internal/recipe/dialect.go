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
	// detect reports whether a config uses the dialect. It looks only at keys.
	detect func(*config.Config) bool
	// network reads the network, and the name of its architecture if it has one.
	network func(*config.Config) (plan *model.Plan, arch string, err error)
	// details reads the properties of the network that only the printed tree of modules
	// shows.
	details func(*config.Config) (*flops.Details, error)
	// pipeline reads the transforms of the images. data reads the data set.
	pipeline func(*config.Config) (*preprocess.Pipeline, error)
	data     func(*config.Config) (*Data, error)
	// images is the path of the part of a config that is about images, such as data.
	// dataset is the path of the data set in it, such as data.test. pipeline reads
	// nothing of the data set except the steps.
	images, dataset string
}

// dialects are tried in this order. The last one accepts every config, and reports
// what is missing.
var dialects = []*dialect{mmcls}

// typed has the key that says what a dict describes.
type typed struct {
	Type string `config:"type,required"`
}

// at returns the section at a path of keys.
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
