package gpu

import "slices"

// The ways to compute a convolution with its epilogue. Files of choices hold these
// names.
const (
	// One graph of cuDNN. Its bias is float32.
	methodGraph = "graph"
	// One graph whose bias is in the precision of the maps.
	methodGraphNarrow = "graph-narrow-bias"
	// The same, and y times 0 as the tensor to add: cuDNN's precompiled kernels have
	// this pattern.
	methodGraphZero = "graph-zero"
	// A graph of the convolution alone, then our kernel for the epilogue.
	methodGraphPlain = "graph-plain"
	// cudnnConvolutionBiasActivationForward.
	methodLegacy = "legacy"
	// Our kernel for the convolution with its epilogue.
	methodDirect = "direct"
)

// graph reports whether the choice is an engine of the graph interface.
func (c choice) graph() bool {
	return slices.Contains([]string{methodGraph, methodGraphNarrow, methodGraphZero, methodGraphPlain}, c.Method)
}
