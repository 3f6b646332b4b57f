package kernel

// Share is one of N shares, about as large, into which a computation is divided:
// the one of number I. Shares can be computed at the same time, each with a Scratch
// of its own.
type Share struct {
	I, N    int
	Scratch *Scratch
}

// of is the share of n things: [from, to).
func (s Share) of(n int) (from, to int) { return n * s.I / s.N, n * (s.I + 1) / s.N }

// Scratch is the working memory of one worker. It only grows.
type Scratch struct {
	offsets []int // of a direct convolution's segments
	zero    int   // the offset of a segment that starts where its row does
	// Of Winograd's algorithms: a chunk's transformed inputs, their products with the
	// weights, and what lies between the two passes of a transform.
	inputs        []byte
	outputs, tile []float32
	rows          []float32 // sums of a direct convolution
	sums          [Lanes]float32
}

// grow makes room for n values.
func grow(s *[]float32, n int) []float32 {
	if len(*s) < n {
		*s = alignedFloats(n)
	}
	return (*s)[:n]
}

// growBytes makes room for n bytes.
func growBytes(s *[]byte, n int) []byte {
	if len(*s) < n {
		*s = alignedBytes(n)
	}
	return (*s)[:n]
}

// Bytes is the memory that s holds.
func (s *Scratch) Bytes() int {
	return len(s.inputs) + (len(s.outputs)+len(s.tile)+len(s.rows))*wordBytes + cap(s.offsets)*8
}
