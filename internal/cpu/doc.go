// Package cpu runs a model.Plan on the host's processor, in both forms: the
// deploy form as one convolution per block, the train form as its branches.
//
// A Runner packs the weights once (pack.go) and keeps its workers (pool.go) and
// its memory between runs. For each convolution it chooses, when it is made,
// between direct sums and one of Winograd's algorithms, by the size that images
// are said to have (algorithm.go).
//
// A batch is divided into groups of images (runner.go). Each worker takes a group
// through the whole network with an executor of its own, the first layers image by
// image. Images too few to share out evenly are computed by all workers together,
// layer by layer, with one executor for all. Nothing that is computed depends on
// which: the result for an image is the same bits in whatever batch, at whatever
// position and with however many threads.
//
// An executor goes through the layers (forward.go), each of which is a few steps
// (step.go), on feature maps of package kernel. It has two for each layout
// (buffers.go), made when a run first needs them, of at most groupBytes together
// unless one image needs more.
package cpu
