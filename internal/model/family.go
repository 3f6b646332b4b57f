package model

import "strings"

// Family is what the networks of one family have in common and their plans do not
// say.
type Family struct {
	// Name is the name of the family: RepVGG.
	Name string
	// KeyMaps are the tensor names of the frameworks. The first key map has the names
	// in plans.
	KeyMaps []*KeyMap
	// Identify describes the network in a state dict, by the shapes of its tensors, for
	// the error about a config that does not fit. It returns "" for an unknown network.
	// The names are those in plans.
	Identify func(shapes map[string][]int) string
	// Modules returns the paths of a deploy network's modules, in the order in which
	// PyTorch registers them. They are the metadata of a state dict with the names in
	// plans. If Modules is nil, no metadata is written.
	Modules func(p *Plan) []string
}

// IsCounter reports whether a tensor is a batch normalization's counter of training
// steps. Old checkpoints lack it, and inference does not need it.
func IsCounter(name string) bool { return strings.HasSuffix(name, ".num_batches_tracked") }
