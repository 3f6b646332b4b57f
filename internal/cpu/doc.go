// Package cpu runs a model.Plan on the host's processor, in both forms: the
// deploy form as one convolution per block, the train form as its three
// branches.
//
// A Runner packs the weights once and keeps its workers and its memory between
// runs. For each convolution it chooses, when it is made, between direct sums
// and one of Winograd's algorithms, by the size that images are said to have
// (algorithm.go).
//
// A batch is divided into groups of images; each worker takes a group through the
// whole network, the first layers image by image. Images too few to share out
// evenly are computed by all workers together, layer by layer. Nothing that is computed
// depends on which: the result for an image is the same bits in whatever batch,
// at whatever position and with however many threads.
//
// Feature maps lie in cells of 16 channels with a border of zeros (kernel.Layout).
// A lane, which is what takes a group through the network, has two buffers for
// each layout, made when a run first needs them, of at most laneBytes together
// unless one image needs more.
package cpu
