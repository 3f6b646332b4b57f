package gpu

import (
	_ "embed" // kernels.cu

	"repvgg/internal/gpu/cuda"
)

//go:embed kernels.cu
var kernelSource string

// kernel is the number of a kernel of kernels.cu.
type kernel int

const (
	imagesFloat kernel = iota
	imagesBytes
	mapsFloat
	poolVector
	poolScalar
	linearRow
	linearRows
	gateVector
	gateScalar
	scaleAddVector
	scaleAddScalar
	finishVector
	finishScalar
	checkVector
	checkScalar
	convolve
	kernels
)

// kernelNames are the kernels' names in kernels.cu.
var kernelNames = [kernels]string{
	"images_float", "images_bytes", "maps_float", "pool_vector", "pool_scalar", "linear_row", "linear_rows", "gate_vector", "gate_scalar",
	"scale_add_vector", "scale_add_scalar", "finish_vector", "finish_scalar", "check_vector", "check_scalar", "convolve",
}

// The same constants are in kernels.cu.
const (
	poolX, poolY               = 32, 32
	linearWarps, linearImages  = 8, 8
	linearRowsPerWarp          = 4
	elementThreads             = 256
	maxElementBlocks           = 1 << 15
	activateNone, activateReLU = 0, 1
	activateSigmoid            = 2
)

// vector is how many values a thread loads at once where the number of channels is
// a multiple of it: 16 bytes.
func (p precision) vector() int { return cuda.TensorAlignment / p.size() }

// pick is the kernel that loads several values at once if the channels allow it,
// else the other.
func (p precision) pick(vector, scalar kernel, channels int) kernel {
	if channels%p.vector() == 0 {
		return vector
	}
	return scalar
}

// span is the grid of the kernel that pick chooses, for a number of values.
func (p precision) span(values int64, channels int) cuda.Grid {
	if channels%p.vector() == 0 {
		values /= int64(p.vector())
	}
	return elements(values)
}

// elements is the grid of kernels that loop over n items.
func elements(n int64) cuda.Grid {
	blocks := min((n+elementThreads-1)/elementThreads, maxElementBlocks)
	return cuda.Grid{Blocks: [3]uint32{uint32(max(blocks, 1)), 1, 1}, Threads: [3]uint32{elementThreads, 1, 1}}
}

// pooling is the grid of pool_vector and pool_scalar for n images; vector is how
// many channels a thread takes.
func pooling(n, channels, vector int) cuda.Grid {
	per := poolX * vector
	return cuda.Grid{Blocks: [3]uint32{uint32((channels + per - 1) / per), uint32(n), 1}, Threads: [3]uint32{poolX, poolY, 1}}
}

// linearOf is the kernel for a linear layer of n images, with its grid. A warp that
// computes several rows loads less. One row for each warp makes more blocks, which
// is faster where they would be few.
func linearOf(n, rows int) (kernel, cuda.Grid) {
	const enough = 256 // blocks; GPUs have up to about 150 multiprocessors
	images := (n + linearImages - 1) / linearImages
	blocks := func(perWarp int) int { return (rows + linearWarps*perWarp - 1) / (linearWarps * perWarp) }
	k, x := linearRow, blocks(1)
	if many := blocks(linearRowsPerWarp); many*images >= enough {
		k, x = linearRows, many
	}
	return k, cuda.Grid{Blocks: [3]uint32{uint32(x), uint32(images), 1}, Threads: [3]uint32{32, linearWarps, 1}}
}

// compileOptions are NVRTC's options for devices of a compute capability, "90" for
// 9.0.
func compileOptions(p precision, capability string) []string {
	options := []string{"--gpu-architecture=sm_" + capability, "--std=c++17"}
	switch p {
	case fp16:
		options = append(options, "-DREPVGG_FP16")
	case bf16:
		options = append(options, "-DREPVGG_BF16")
	}
	return options
}
