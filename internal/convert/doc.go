// Package convert turns a training checkpoint into deploy weights: it matches a
// checkpoint with the network that a config describes, fuses the branches of
// each block into one convolution, and verifies that both forms compute the
// same.
package convert
