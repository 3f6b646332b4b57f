package model

import "strings"

// Family is what is known of the networks of one kind beyond what their plans
// hold.
type Family struct {
	// Name of the networks: RepVGG.
	Name string
	// KeyMaps are the ways in which frameworks name the tensors. The first is that
	// of the plans.
	KeyMaps []*KeyMap
	// Identify says which network the tensors of a state dict make, by their
	// shapes, as advice for whoever gave the wrong config; "" if it is not known.
	// Names are the plans'.
	Identify func(shapes map[string][]int) string
	// Modules are the paths of the modules of a converted network in the order in
	// which PyTorch registers them, for the metadata of a state dict with the names
	// of the plans; nil if there are none to write.
	Modules func(p *Plan) []string
}

// IsCounter reports whether a tensor is a batch normalization's count of training
// steps. Old checkpoints lack it and inference never reads it.
func IsCounter(name string) bool { return strings.HasSuffix(name, ".num_batches_tracked") }
