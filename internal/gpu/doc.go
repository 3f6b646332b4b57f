// Package gpu runs a model.Plan, in either form, on an NVIDIA GPU with cuDNN 9.
//
// Package cuda loads the libraries and calls them; this package is plain Go. In a
// build without cgo New returns an error that says so.
//
// A Runner packs and uploads the weights once (pack.go, weights.go). Feature maps
// are N, H, W, C in two buffers of device memory in turns. Their channels are padded
// with zeros to 16 bytes where both neighbours allow it (layout.go).
//
// For each shape of convolution a search times what cuDNN offers: the engines of
// its graph interface and the older cudnnConvolutionBiasActivationForward. The
// fastest is kept in a file (search.go, cache.go). Where nothing of cuDNN works, a
// kernel of this package computes the convolution (kernels.cu). NVRTC compiles these
// kernels, which also do everything between the convolutions.
//
// The layers of a size of batch are captured as one CUDA graph (program.go). Images
// pass through pinned memory on a stream of their own, so that copying a batch
// overlaps with computing the one before (slot.go).
package gpu
