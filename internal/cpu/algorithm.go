package cpu

import (
	"repvgg/internal/cpu/kernel"
	"repvgg/internal/cpu/winograd"
	"repvgg/internal/model"
)

// What stands in place of the m of Winograd's F(m, 3) for sums as the definition
// has them, of float32 or of bfloat16 products.
const (
	direct       = 0
	directBF16   = -1
	winogradBF16 = -2 // F(2, 3) with bfloat16 products
)

// A model of what the algorithms cost, in cycles of one core per image; its
// parameters are of a core with two 512-bit multiply-adds per cycle, and in the
// same proportion on others. See docs/benchmarks.md.
const (
	productsPerCycle = 30.0 // of 32, when the data is at hand
	// What tile registers do of bf16 products, on dense data with what they lose
	// to loads; an estimate from others' measurements.
	tileProductsPerCycle = 300.0
	bytesPerCycle        = 8.0 // of weights from beyond the second-level cache
	nearBytes            = 256 << 10
	narrowCycles         = 3.0 // to round a cell to bf16
)

// transformCycles is what transforming a tile takes for each block of 16
// channels, input and output together.
var transformCycles = map[int]float64{2: 150, 4: 400, 5: 580}

// cost estimates an algorithm for a convolution of an h x w map, if the weights
// are read once for so many images, and the size of its weights in bytes.
func cost(s kernel.ConvShape, m, h, w, images int, tileRegisters bool) (cycles float64, bytes int64) {
	in := float64(ceilDiv(s.In/s.Groups, kernel.Lanes) * kernel.Lanes)
	out := float64(ceilDiv(s.Out, kernel.Lanes) * kernel.Lanes)
	products, tiles := float64(9), float64(h*w)
	rate, size := productsPerCycle, 4.0
	if m < direct {
		rate, size = 2*productsPerCycle, 2
	}
	if m == directBF16 {
		if tileRegisters {
			rate = tileProductsPerCycle
		}
		cycles = narrowCycles * float64(s.Stride*s.Stride) * tiles * float64(s.In) / kernel.Lanes
	}
	if m == winogradBF16 {
		m = 2
	}
	if m > direct {
		n := m + winograd.Taps - 1
		products, tiles = float64(n*n), float64(ceilDiv(h, m)*ceilDiv(w, m))
		blocks := float64(ceilDiv(s.In, kernel.Lanes)+ceilDiv(s.Out, kernel.Lanes)) / 2
		cycles = tiles * blocks * transformCycles[m]
	}
	bytes = int64(products * in * out * size)
	cycles += tiles * products * in * out / rate
	if bytes > nearBytes {
		cycles += float64(bytes) / bytesPerCycle / float64(images)
	}
	return cycles, bytes
}

// choose picks the fastest algorithm for each block's 3x3 convolution, the m of
// F(m, 3) or a constant above, such that all packed weights fit into the memory.
func choose(p *model.Plan, opts Options) []int {
	limit := opts.packedBytes
	if limit == 0 {
		limit = MachineMemory() / 4
	}
	candidates := append([]int{direct}, winograd.Outputs()...)
	if opts.Precision == BF16 {
		candidates = append([]int{direct, directBF16, winogradBF16}, winograd.Outputs()...)
	}
	for {
		chosen, total := chooseFrom(candidates, p, opts)
		if total <= limit || len(candidates) == 1 {
			return chosen
		}
		candidates = candidates[:len(candidates)-1]
	}
}

func chooseFrom(candidates []int, p *model.Plan, opts Options) (chosen []int, total int64) {
	images := maxGroup
	if opts.LowLatency {
		images = 1
	}
	h, w := opts.Height, opts.Width
	if h < 1 || w < 1 {
		h, w = defaultSize, defaultSize
	}
	for i := range p.Blocks[:p.Depth] {
		b := &p.Blocks[i]
		h, w = b.OutSize(h), b.OutSize(w)
		best, least, size := direct, 0.0, int64(0)
		for _, m := range candidates {
			s := conv3x3(b)
			if m != direct && m != directBF16 && !kernel.CanWinograd(s) || m < direct && i == 0 {
				continue
			}
			if c, bytes := cost(s, m, h, w, images, opts.variant != nil && opts.variant.Tiles()); m == direct || c < least {
				best, least, size = m, c, bytes
			}
		}
		chosen, total = append(chosen, best), total+size
	}
	return chosen, total
}

// unknownMemory is what a machine is taken to have that cannot be asked.
const unknownMemory = 8 << 30
