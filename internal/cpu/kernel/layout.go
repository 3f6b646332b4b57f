package kernel

// Lanes is the channels of a cell.
const Lanes = 16

const (
	floatBytes = 4
	cellBytes  = Lanes * floatBytes
)

// Layout is how a feature map lies in memory. Cells of 16 channels are 64 bytes
// (NCHW16c): the map is Blocks planes of 16 channels, a plane rows of cells,
// with a border of zeros on each side that padding and the tiles of Winograd's
// algorithms reach into. Lanes beyond the last channel are zero.
//
// A planar layout has cells of one value: that is how images come. In a bf16
// layout cells hold 32 channels in their order, two to a word: the even one in its
// lower 16 bits.
type Layout struct {
	Channels, H, W           int
	Top, Left, Bottom, Right int // cells
	Planar, BF16             bool
}

// cell is the words of a cell.
func (l *Layout) cell() int {
	if l.Planar {
		return 1
	}
	return Lanes
}

// channels is how many a cell holds.
func (l *Layout) channels() int {
	if l.BF16 {
		return 2 * Lanes
	}
	return l.cell()
}

// Blocks is the number of planes.
func (l *Layout) Blocks() int { return ceilDiv(l.Channels, l.channels()) }

// pitch is the cells of a row, plane those of a plane.
func (l *Layout) pitch() int { return l.Left + l.W + l.Right }
func (l *Layout) plane() int { return (l.Top + l.H + l.Bottom) * l.pitch() }

// Len is the words of one map.
func (l *Layout) Len() int { return l.Blocks() * l.plane() * l.cell() }

// at is the index of the first word of a cell; y and x may be in the border.
func (l *Layout) at(block, y, x int) int {
	return (block*l.plane() + (y+l.Top)*l.pitch() + x + l.Left) * l.cell()
}

// Maps are the feature maps of some images, one after the other.
type Maps struct {
	Layout
	Data []float32
}

// Row is the cells of row y of a block of image i, without the border.
func (m *Maps) Row(i, block, y int) []float32 {
	return m.Data[i*m.Len()+m.at(block, y, 0):][:m.W*m.cell()]
}

// pointer is the address of a cell.
func (m *Maps) pointer(i, block, y, x int) *float32 {
	return &m.Data[i*m.Len()+m.at(block, y, x)]
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
