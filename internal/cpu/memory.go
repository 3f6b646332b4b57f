package cpu

import (
	"fmt"

	"repvgg/internal/model"
)

// activationBytes is what the arenas may hold of a batch; see the package
// comment. It is some ten images of 224x224 and more where they are smaller:
// enough to share each layer's weights, and about what the last level of a
// server's cache holds.
const activationBytes = 64 << 20

// maxMap bounds the values of one image's feature map: 16 GiB.
const maxMap = 1 << 32

// memory is what runs share. It only grows.
type memory struct {
	// arenas hold the outputs of even and odd layers.
	arenas [2][]float32
	// For each image: the means of a map's channels, and what
	// squeeze-and-excitation makes of them.
	pooled, squeezed, gates []float32
}

// reserve makes room and returns how many of n images are run together.
func (m *memory) reserve(p *model.Plan, n, h, w int) (int, error) {
	var maps [2]int
	channels, squeeze := 0, 0
	for i := range p.Blocks[:p.Depth] {
		b := &p.Blocks[i]
		h, w = b.OutSize(h), b.OutSize(w)
		size := b.Out * h * w
		if size > maxMap {
			return 0, fmt.Errorf("running the network: block %q would give a feature map of %dx%dx%d; use smaller images", b.Name, b.Out, h, w)
		}
		channels, squeeze = max(channels, b.Out), max(squeeze, b.Squeeze)
		if p.Head == nil && i == p.Depth-1 {
			break // goes straight to the caller's memory
		}
		maps[i%2] = max(maps[i%2], size)
	}
	group := max(1, min(n, activationBytes/4/max(1, maps[0]+maps[1])))
	for i := range maps {
		grow(&m.arenas[i], group*maps[i])
	}
	grow(&m.pooled, group*channels)
	grow(&m.gates, group*channels)
	grow(&m.squeezed, group*squeeze)
	return group, nil
}

func grow(s *[]float32, n int) {
	if n > len(*s) {
		*s = make([]float32, n)
	}
}
