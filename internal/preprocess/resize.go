package preprocess

import (
	"fmt"
	"sync"
)

// resizer resizes images with one filter of one backend. It is safe for
// concurrent use.
type resizer struct {
	backend, interpolation string
	resize                 resizeFunc
	buffers                *sync.Pool // of *buffers
}

// resizeFunc fills dst from src; the sizes differ in at least one axis. b is
// scratch space that the function may grow.
type resizeFunc func(dst, src *Image, b *buffers)

// buffers are the intermediate results of a resize, kept from image to image.
type buffers struct {
	bytes  []byte
	ints   []int32
	floats []float32
}

// The interpolations of each backend, in the order in which errors list them.
var (
	pillowNames = []string{"nearest", "bilinear", "bicubic", "box", "lanczos", "hamming"}
	cv2Names    = []string{"nearest", "bilinear", "bicubic", "area", "lanczos"}
)

// newResizer finds the filter with mmcv's names of backends (cv2, pillow) and
// interpolations.
func newResizer(backend, interpolation string) (*resizer, error) {
	r := &resizer{backend: backend, interpolation: interpolation}
	r.buffers = &sync.Pool{New: func() any { return new(buffers) }}
	var names []string
	switch backend {
	case "pillow":
		r.resize, names = pillowFilter(interpolation), pillowNames
	case "cv2":
		r.resize, names = cv2Filter(interpolation), cv2Names
	default:
		return nil, fmt.Errorf("backend %q is not one of [cv2 pillow]", backend)
	}
	if r.resize == nil {
		return nil, fmt.Errorf("interpolation %q is not one of %v, which backend %q has", interpolation, names, backend)
	}
	return r, nil
}

// apply resizes to width x height. An image that has this size already is
// returned itself.
func (r *resizer) apply(src *Image, width, height int) (*Image, error) {
	if src.Width == width && src.Height == height {
		return src, nil
	}
	dst, err := NewImage(width, height)
	if err != nil {
		return nil, err
	}
	b := r.buffers.Get().(*buffers)
	r.resize(dst, src, b)
	r.buffers.Put(b)
	return dst, nil
}

// grow returns a slice of n elements, with the capacity of *buf where that is
// enough; its contents are arbitrary.
func grow[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}
