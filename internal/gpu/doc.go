// Package gpu runs a model.Plan on an NVIDIA GPU, in both forms, with cuDNN 9.
//
// Nothing of CUDA is needed to build it, nor to run the program without a GPU:
// the driver (libcuda), cuDNN and NVRTC are found when New is called
// (search.go), and their interfaces are declared here from NVIDIA's public
// documentation (cuda.h, cudnn.h, nvrtc.h). Without them New says what is
// missing.
//
// A Runner converts and uploads the weights once. Feature maps lie N, H, W, C in
// two buffers of device memory in turns, their channels padded with zeros to 16
// bytes where both neighbours allow it (layout.go). For each shape of
// convolution the graph interface of cuDNN is asked for engines; the candidates
// are timed on the device and the fastest is kept in a file (tune, cache.go).
// Where it has none, the older cudnnConvolutionBiasActivationForward serves, and
// where that refuses too, a plain kernel (kernels.cu). What is between the
// convolutions are kernels of ours, which NVRTC compiles for the device.
//
// The layers of one batch size are captured as one CUDA graph (program). Images
// go through pinned memory on a stream of their own, so that the copies of one
// batch overlap with the computation of the one before (Start, Wait).
package gpu
