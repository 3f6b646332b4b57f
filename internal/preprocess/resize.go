package preprocess

import "fmt"

// resizer resizes images with one filter of one backend.
type resizer struct {
	backend, interpolation string
	resize                 resizeFunc
}

// part is the window of a resized image that is wanted: of the result of width x
// height pixels, columns x0 to x1 and rows y0 to y1. What lies outside costs
// nothing, and the window's pixels are those of the whole.
type part struct{ width, height, x0, y0, x1, y1 int }

// whole is all of an image.
func whole(width, height int) part { return part{width, height, 0, 0, width, height} }

// resizeFunc fills dst, which has the size of the window, from src; src and the
// whole result differ in size in at least one axis.
type resizeFunc func(dst, src *Image, p part, b *buffers)

// The interpolations of each backend, in the order in which errors list them.
var (
	pillowNames = []string{"nearest", "bilinear", "bicubic", "box", "lanczos", "hamming"}
	cv2Names    = []string{"nearest", "bilinear", "bicubic", "area", "lanczos"}
)

// newResizer finds the filter with mmcv's names of backends (cv2, pillow) and
// interpolations.
func newResizer(backend, interpolation string) (*resizer, error) {
	r := &resizer{backend: backend, interpolation: interpolation}
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

// apply makes the window of an image resized to p.width x p.height. An image
// that has this size already is only cut, or returned itself.
func (r *resizer) apply(src *Image, p part, b *buffers) (*Image, error) {
	if err := checkSize(p.width, p.height); err != nil {
		return nil, err
	}
	if src.Width == p.width && src.Height == p.height {
		return crop(src, p.x0, p.y0, p.x1, p.y1, b)
	}
	dst, err := b.image(src, p.x1-p.x0, p.y1-p.y0)
	if err != nil {
		return nil, err
	}
	r.resize(dst, src, p, b)
	return dst, nil
}
