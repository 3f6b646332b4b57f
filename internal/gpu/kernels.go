package gpu

import _ "embed" // kernels.cu

//go:embed kernels.cu
var kernelSource string

// kernel is a kernel of kernels.cu.
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

// kernelNames are those in kernels.cu.
var kernelNames = [kernels]string{
	"images_float", "images_bytes", "maps_float", "pool_vector", "pool_scalar", "linear_row", "linear_rows", "gate_vector", "gate_scalar",
	"scale_add_vector", "scale_add_scalar", "finish_vector", "finish_scalar", "check_vector", "check_scalar", "convolve",
}

// The same constants as in kernels.cu.
const (
	poolX, poolY               = 32, 32
	linearWarps, linearImages  = 8, 8
	linearRowsPerWarp          = 4
	elementThreads             = 256
	maxElementBlocks           = 1 << 15
	activateNone, activateReLU = 0, 1
	activateSigmoid            = 2
)

// vector is how many values of a precision a thread takes at once, if channels
// are a multiple of it.
func (p precision) vector() int { return rowAlignment / p.size() }

// pick is the kernel that takes several values at once, if the channels allow.
func (p precision) pick(vector, scalar kernel, channels int) kernel {
	if channels%p.vector() == 0 {
		return vector
	}
	return scalar
}

// span is the grid of such a kernel for a number of values.
func (p precision) span(values int64, channels int) grid {
	if channels%p.vector() == 0 {
		values /= int64(p.vector())
	}
	return elements(values)
}

// grid is the extent of a kernel: blocks, and threads of a block.
type grid struct{ blocks, threads [3]uint32 }

// elements is for kernels that go through n items with a stride.
func elements(n int64) grid {
	blocks := min((n+elementThreads-1)/elementThreads, maxElementBlocks)
	return grid{[3]uint32{uint32(max(blocks, 1)), 1, 1}, [3]uint32{elementThreads, 1, 1}}
}

// pooling is for pool_vector and pool_scalar.
func pooling(n, channels, vector int) grid {
	per := poolX * vector
	return grid{[3]uint32{uint32((channels + per - 1) / per), uint32(n), 1}, [3]uint32{poolX, poolY, 1}}
}

// linearOf is the kernel for a linear layer, with its grid: several rows for each
// warp load less, one gives more blocks where those would be few.
func linearOf(n, rows int) (kernel, grid) {
	const enough = 256 // blocks; GPUs have up to some 150 multiprocessors
	images := (n + linearImages - 1) / linearImages
	blocks := func(perWarp int) int { return (rows + linearWarps*perWarp - 1) / (linearWarps * perWarp) }
	k, x := linearRow, blocks(1)
	if many := blocks(linearRowsPerWarp); many*images >= enough {
		k, x = linearRows, many
	}
	return k, grid{[3]uint32{uint32(x), uint32(images), 1}, [3]uint32{32, linearWarps, 1}}
}

// compileOptions are NVRTC's for a device of a compute capability.
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
