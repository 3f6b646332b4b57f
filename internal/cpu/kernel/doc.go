// Package kernel is the arithmetic of a convolutional network on plain slices:
// convolution, pooling, the fully connected layer and the element-wise steps
// between them. It knows no network.
//
// Feature maps are row-major C, H, W of one image. Nothing here allocates or
// starts a goroutine but for the constructors: callers give the memory and
// divide the work. No result depends on how the work is divided.
//
// The functions trust the lengths of their slices, which internal/cpu derives
// from a checked plan.
package kernel
