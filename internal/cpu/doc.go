// Package cpu runs a model.Plan on the host's processor, in both forms: the
// deploy form as one convolution per block, the train form as its three
// branches.
//
// A Runner packs the weights once and keeps its workers and its memory between
// runs. Work is divided by image, tile of output pixels and panel of output
// channels; nothing that is computed depends on how, so that the result for an
// image is the same bits in whatever batch, at whatever position and with
// however many threads.
//
// Feature maps alternate between two arenas. A large batch is run in groups of
// images such that both arenas together stay within activationBytes (64 MiB),
// or hold one image if that needs more: twice the largest feature map at most.
// Besides there is about a MiB of scratch for each thread and the packed
// weights, which are about as large as the checkpoint's.
package cpu
