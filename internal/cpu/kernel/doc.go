// Package kernel is the arithmetic of a convolutional network on plain slices:
// convolution, pooling, the fully connected layer and the element-wise steps
// between them. It knows no network.
//
// Feature maps are row-major C, H, W of one image. Nothing here starts a
// goroutine, and nothing allocates but constructors and Scratch.Reserve: callers
// give the memory and divide the work. No result depends on how the work is
// divided.
//
// The inner loops exist once for each instruction set (Variant): in plain Go,
// which is always compiled, and for amd64 in assembly that _gen writes
// ("go generate", with its own module) unless the build tag noasm is set.
//
// The functions trust the lengths of their slices, which internal/cpu derives
// from a checked plan.
package kernel
