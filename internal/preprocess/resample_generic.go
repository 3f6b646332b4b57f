//go:build !amd64 || noasm

package preprocess

// vectorLoops are none on this architecture.
func vectorLoops() resampleLoops { return resampleLoops{} }
