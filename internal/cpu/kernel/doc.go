// Package kernel is the arithmetic of a convolutional network on feature maps in
// memory: convolution, pooling, the fully connected layer and the element-wise
// steps between them. It knows no network.
//
// Nothing here starts a goroutine, and nothing allocates but constructors and a
// Scratch that grows: callers give the memory and divide the work into Shares. No
// result depends on how the work is divided. Functions trust the sizes of their
// arguments, which internal/cpu derives from a checked plan.
//
// # Feature maps
//
// A word is 4 bytes: one channel in Float32, or two neighbouring channels in
// BFloat16, the even one in the lower half. A cell is 16 words, 64 bytes, as a
// vector register or a line of the cache is: 16 channels of one pixel, or 32 in
// BFloat16. A block is all pixels of those channels: rows of cells, with a halo of
// zero cells around them that padding and Winograd's tiles reach into. The halo is
// zeroed once, when the map is made, and spares the inner loops all edge cases. A
// map is its blocks one after the other; the maps of a batch follow one another.
//
// This is a map of 20 channels, 2 rows of 3 pixels, and a halo of one cell, in
// Float32:
//
//	block 0: channels 0 to 15     block 1: channels 16 to 19
//	+----+----+----+----+----+    +----+----+----+----+----+
//	|    |    |    |    |    |    |    |    |    |    |    |
//	+----+----+----+----+----+    +----+----+----+----+----+
//	|    | c  | c  | c  |    |    |    | c' | c' | c' |    |     c: 16 channels
//	+----+----+----+----+----+    +----+----+----+----+----+    c': 4 channels, and
//	|    | c  | c  | c  |    |    |    | c' | c' | c' |    |        12 zeros
//	+----+----+----+----+----+    +----+----+----+----+----+
//	|    |    |    |    |    |    |    |    |    |    |    |
//	+----+----+----+----+----+    +----+----+----+----+----+
//
// A planar map has cells of one word and blocks of one channel. Images are planar.
//
// # Weights
//
// A panel is 16 output channels, those of a cell in Float32, and their weights.
// The weights are in the order in which the inner loop reads them: for each block
// of the input, for each tap, for each word of a cell, 16 words. There is one for
// each output channel, with the weights for the channels of the input's word:
//
//	panel 0: channels 0 to 15                                           panel 1 ...
//	+--------------------------------------------------+-----------+
//	| block 0                                          | block 1 ..|
//	| +----------------------------------+-----------+ |           |
//	| | tap 0                            | tap 1 ... | |           |
//	| | +------------+------------+----+ |           | |           |
//	| | | word 0: 16 | word 1: 16 | .. | |           | |           |
//	| | +------------+------------+----+ |           | |           |
//	| +----------------------------------+-----------+ |           |
//	+--------------------------------------------------+-----------+
//
// The 16 x 16 words of a block's tap are 1 KB: in BFloat16, one of AMX's tiles.
//
// A run is neighbouring panels that read the same blocks of the input. Without
// groups, all panels are one run, which reads all blocks. With groups, a panel's
// run has the blocks of the groups that the panel has channels of.
//
// # Inner loops
//
// Direct convolutions, Winograd's products and linear layers share one inner loop,
// gemmFunc. It keeps the sums of a register tile in registers: those of some rows
// (pixels of the output, Winograd's tiles, or images) and one to three panels. The
// words of a row are read in segments, each of them contiguous, such as the cell of
// one tap.
//
// The inner loops exist once for each instruction set (Variant): in plain Go,
// which is always compiled, and for amd64 in assembly that _gen writes
// ("go generate", with its own module) unless the build tag noasm is set.
//
// Three things are called tiles in the literature. Here a register tile is always
// called that, a tile of AMX is named with AMX, and in winograd.go a tile is a
// square of pixels.
package kernel
