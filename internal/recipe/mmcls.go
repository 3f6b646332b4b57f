package recipe

import "repvgg/internal/config"

// mmcls is the dialect of MMClassification 0.x. It has model, and data.test with a
// pipeline.
var mmcls = &dialect{
	detect:   func(*config.Config) bool { return true },
	network:  mmclsNetwork,
	details:  mmclsDetails,
	pipeline: mmclsPipeline,
	data:     mmclsData,
	images:   "data",
	dataset:  "data.test",
}
