package preprocess

import "fmt"

// transform is a step from an 8-bit image to an 8-bit image. It may return its
// argument, and does not change it. Other results are b's.
type transform interface {
	apply(m *Image, b *buffers) (*Image, error)
	// sizes tells the sizes of results from those of arguments.
	sizes(in bounds) bounds
	String() string
}

// bounds are the least and the most that the sides of an image can have.
type bounds struct{ height, width span }

type span struct{ low, high int }

// Pillow and OpenCV work on sides of this many pixels at most.
const maxSide = 1 << 30

// resizeStep is MMClassification's Resize.
type resizeStep struct {
	*resizer
	height, width int    // of a fixed size
	target        int    // of an adaptive one: the wanted length of side
	side          string // short, long, height, width; empty for a fixed size
}

// size is the size of the result. An adaptive size keeps the aspect ratio,
// truncating the other side; a square counts as wide.
func (r *resizeStep) size(m *Image) (height, width int) {
	t := r.target
	var done, byWidth bool
	switch r.side {
	case "":
		return r.height, r.width
	case "short":
		done, byWidth = min(m.Height, m.Width) == t, m.Width < m.Height
	case "long":
		done, byWidth = max(m.Height, m.Width) == t, m.Width > m.Height
	case "height":
		done, byWidth = m.Height == t, false
	case "width":
		done, byWidth = m.Width == t, true
	}
	switch {
	case done:
		return m.Height, m.Width
	case byWidth:
		return int(float64(t*m.Height) / float64(m.Width)), t
	default:
		return t, int(float64(t*m.Width) / float64(m.Height))
	}
}

func (r *resizeStep) apply(m *Image, b *buffers) (*Image, error) {
	h, w := r.size(m)
	return r.applyPart(m, whole(w, h), b)
}

func (r *resizeStep) applyPart(m *Image, p part, b *buffers) (*Image, error) {
	out, err := r.resizer.apply(m, p, b)
	if err != nil {
		return nil, fmt.Errorf("resizing %dx%d (width x height) with %s: %w", m.Width, m.Height, r, err)
	}
	return out, nil
}

func (r *resizeStep) sizes(bounds) bounds {
	exact, free := span{r.target, r.target}, span{1, maxSide}
	switch r.side {
	case "short":
		return bounds{span{r.target, maxSide}, span{r.target, maxSide}}
	case "long":
		return bounds{span{1, r.target}, span{1, r.target}}
	case "height":
		return bounds{exact, free}
	case "width":
		return bounds{free, exact}
	}
	return bounds{span{r.height, r.height}, span{r.width, r.width}}
}

func (r *resizeStep) String() string {
	if r.side != "" {
		return fmt.Sprintf("Resize(%s=%d, %s, %s)", r.side, r.target, r.interpolation, r.backend)
	}
	return fmt.Sprintf("Resize(%dx%d, %s, %s)", r.height, r.width, r.interpolation, r.backend)
}

// resizeCrop is a Resize and the plain CenterCrop after it in one: of the
// resized image only what the crop keeps is computed.
type resizeCrop struct {
	resize *resizeStep
	crop   *cropStep
}

func (t resizeCrop) apply(m *Image, b *buffers) (*Image, error) {
	h, w := t.resize.size(m)
	if h < 1 || w < 1 {
		return t.resize.apply(m, b) // says what is wrong
	}
	return t.resize.applyPart(m, t.crop.window(w, h), b)
}

func (t resizeCrop) sizes(in bounds) bounds { return t.crop.sizes(t.resize.sizes(in)) }

func (t resizeCrop) String() string { return t.resize.String() + " > " + t.crop.String() }
