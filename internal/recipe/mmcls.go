package recipe

import "repvgg/internal/config"

// mmcls is the dialect of MMClassification 0.x: model, and data with a test that has
// a pipeline.
var mmcls = &dialect{
	detect:   func(*config.Config) bool { return true },
	network:  mmclsNetwork,
	details:  mmclsDetails,
	pipeline: mmclsPipeline,
	data:     mmclsData,
	images:   "data",
	dataset:  "data.test",
}

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
