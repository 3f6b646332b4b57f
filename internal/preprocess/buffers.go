package preprocess

// buffers is the memory that images take on their way through a pipeline, one
// image after the other.
type buffers struct {
	// images are the results of transforms in turn: a transform reads one and
	// writes the other.
	images [2]Image
	turn   int

	// Scratch space of a resize.
	bytes   []byte
	ints    []int32
	floats  []float32
	doubles []float64
	across  tapList
	down    tapList
}

// maxKept bounds each buffer that is kept for the next image, in elements: one
// huge image among a million shall not cost its memory to the end.
const maxKept = 32 << 20

// image gives space for the result of a transform: of the kind of like (colour or
// grey), with arbitrary contents. The result before the last is overwritten.
func (b *buffers) image(like *Image, width, height int) (*Image, error) {
	if err := checkSize(width, height); err != nil {
		return nil, err
	}
	b.turn ^= 1
	m := &b.images[b.turn]
	m.Width, m.Height, m.Grey = width, height, like.Grey
	m.Pix = grow(&m.Pix, like.Channels()*width*height)
	return m, nil
}

// grow returns a slice of n elements, with the capacity of *buf where that is
// enough and not far too much; its contents are arbitrary.
func grow[T any](buf *[]T, n int) []T {
	if cap(*buf) < n || cap(*buf) > maxKept && cap(*buf)/4 > n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}
