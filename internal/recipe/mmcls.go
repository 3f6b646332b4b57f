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
