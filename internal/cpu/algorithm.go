package cpu

import (
	"repvgg/internal/cpu/kernel"
	"repvgg/internal/cpu/winograd"
	"repvgg/internal/engine"
	"repvgg/internal/model"
)

// algorithm is a way to compute a convolution.
type algorithm struct {
	// m is that of Winograd's F(m, 3); 0 is the direct sum, as the definition has it.
	m int
	// elem is the type of what is multiplied; sums are of float32.
	elem kernel.Elem
}

var (
	direct     = algorithm{}
	directBF16 = algorithm{elem: kernel.BFloat16}
	// winogradBF16 is the only one of Winograd's that is exact enough for bfloat16.
	winogradBF16 = algorithm{m: 2, elem: kernel.BFloat16}
)

// A model of what the algorithms cost, in cycles of one core per image; its
// parameters are of a core with two 512-bit multiply-adds per cycle, and in the
// same proportion on others. See docs/benchmarks.md.
const (
	productsPerCycle = 30.0 // of 32, when the data is at hand
	// What AMX does of bf16 products, on dense data with what it loses to loads; an
	// estimate from others' measurements.
	amxProductsPerCycle = 300.0
	bytesPerCycle       = 8.0 // of weights from beyond the second-level cache
	nearBytes           = 256 << 10
	narrowCycles        = 3.0 // to round a cell to bf16
)

// transformCycles is what transforming a tile of Winograd's takes for each block
// of 16 channels, input and output together.
var transformCycles = map[int]float64{2: 150, 4: 400, 5: 580}

// cost estimates an algorithm for a convolution of an h x w map, if the weights
// are read once for so many images, and the size of its weights in bytes.
func cost(s model.Conv, a algorithm, h, w, images int, amx bool) (cycles float64, bytes int64) {
	// Groups of few channels cost as much as 16: depthwise, 16 times the products that
	// there are.
	in := float64(ceilDiv(s.In/s.Groups, kernel.Lanes) * kernel.Lanes)
	out := float64(ceilDiv(s.Out, kernel.Lanes) * kernel.Lanes)
	products, tiles := float64(s.Taps()), float64(h*w) // a direct sum is one of a pixel
	size := float64(a.elem.Size())
	rate := productsPerCycle * 4 / size
	if a == directBF16 {
		if amx {
			rate = amxProductsPerCycle
		}
		cycles = narrowCycles * float64(s.Stride*s.Stride) * tiles * float64(s.In) / kernel.Lanes
	}
	if m := a.m; m > 0 {
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

// choose picks the fastest algorithm for each block's main convolution such that
// all packed weights fit into the memory.
func choose(p *model.Plan, opts Options) []algorithm {
	limit := opts.packedBytes
	if limit == 0 {
		limit = MachineMemory() / 4
	}
	candidates := []algorithm{direct}
	if opts.Precision == engine.BF16 {
		candidates = append(candidates, directBF16, winogradBF16)
	}
	for _, m := range winograd.Outputs() {
		candidates = append(candidates, algorithm{m: m})
	}
	for {
		chosen, total := chooseFrom(candidates, p, opts)
		if total <= limit || len(candidates) == 1 {
			return chosen
		}
		candidates = candidates[:len(candidates)-1] // larger tiles have more weights
	}
}

func chooseFrom(candidates []algorithm, p *model.Plan, opts Options) (chosen []algorithm, total int64) {
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
		h, w = b.OutSize(h, w)
		best, least, size := direct, 0.0, int64(0)
		for _, a := range candidates {
			s := mainConv(p.Form, b)
			if a.m > 0 && !kernel.CanWinograd(s) || a.elem != kernel.Float32 && i == 0 {
				continue
			}
			if c, bytes := cost(s, a, h, w, images, opts.variant != nil && opts.variant.AMX()); a == direct || c < least {
				best, least, size = a, c, bytes
			}
		}
		chosen, total = append(chosen, best), total+size
	}
	return chosen, total
}

// unknownMemory is what a machine is taken to have that cannot be asked.
const unknownMemory = 8 << 30
