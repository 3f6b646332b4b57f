package kernel

// Scratch is the working memory of one worker. It only grows.
type Scratch struct {
	offsets []int
	zero    int // the offset of a segment that starts where its row does
	// Of Winograd's algorithms: a chunk's transformed inputs and products, and
	// what lies between the passes of a transform.
	inputs, products, tile []float32
	rows                   []float32 // sums of a direct convolution
	sums                   [Lanes]float32
}

func grow(s *[]float32, n int) []float32 {
	if len(*s) < n {
		*s = AlignedFloats(n)
	}
	return (*s)[:n]
}

// Bytes is the memory that s holds.
func (s *Scratch) Bytes() int {
	return (len(s.inputs)+len(s.products)+len(s.tile)+len(s.rows))*floatBytes + cap(s.offsets)*8
}
