package cuda

// TensorAlignment is the alignment in bytes that a convolution promises cuDNN for
// the addresses of its tensors: tensor cores load 16 bytes at once.
const TensorAlignment = 16

// ConvShape is a convolution as cuDNN sees it, with the same kernel size, stride,
// dilation and padding for height and width. x is N, H, W, C; y is N, P, Q, K; w is
// K, R, R, C/Groups. All tensors are dense.
type ConvShape struct {
	N, H, W, C            int
	K, R                  int
	Stride, Dilation, Pad int
	Groups                int
}

// Out is the height and width of y. The padding must be Dilation*(R-1)/2, so that
// only the stride changes the size.
func (s ConvShape) Out() (p, q int) { return (s.H-1)/s.Stride + 1, (s.W-1)/s.Stride + 1 }

// Results is the number of values of y.
func (s ConvShape) Results() int64 {
	p, q := s.Out()
	return int64(s.N) * int64(p) * int64(q) * int64(s.K)
}

// Engine is one of cuDNN's implementations of a graph, with its settings.
type Engine struct {
	// Index is the engine's number within the graph.
	Index int64
	Knobs []Knob
	// Notes say how the engine computes (the Note constants). NewPlan ignores them.
	Notes []int32
}

// Knob is a setting of an engine. The tags are those of files of chosen engines.
type Knob struct {
	Type  int32 `json:"type"`
	Value int64 `json:"value"`
}

// MaxKnobs is above the number of types of knobs that cuDNN 9 has.
const MaxKnobs = 64

// The notes on an engine's arithmetic (cudnnBackendNumericalNote_t).
const (
	NoteTensorCore       int32 = 0
	NoteDownConverts     int32 = 1 // inputs are rounded to a narrower type
	NoteReducedReduction int32 = 2 // sums are narrower than float32
	NoteNondeterministic int32 = 4
	NoteWinograd         int32 = 5
	NoteWinograd6        int32 = 7 // tiles of 6x6
	NoteWinograd13       int32 = 8 // tiles of 13x13
)

// Grid is the extent of a launched kernel: the number of blocks, and of threads in
// each block, in x, y and z.
type Grid struct{ Blocks, Threads [3]uint32 }
