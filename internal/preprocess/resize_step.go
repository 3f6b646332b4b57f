package preprocess

import (
	"fmt"

	"repvgg/internal/config"
)

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

func newResize(s config.Section) (transform, error) {
	opts := struct {
		Size          config.Value `config:"size,required"`
		Interpolation string       `config:"interpolation"`
		AdaptiveSide  string       `config:"adaptive_side"`
		Backend       string       `config:"backend"`
	}{Interpolation: "bilinear", AdaptiveSide: "short", Backend: "cv2"}
	if err := s.DecodeStrict(&opts); err != nil {
		return nil, err
	}
	h, w, ok := pair(opts.Size)
	if !ok || h < 1 || w < 1 && w != -1 {
		return nil, s.Errorf("size", "want a positive int, (height, width) or (side, -1), got %v", opts.Size)
	}
	step := &resizeStep{height: h, width: w}
	if w == -1 {
		switch opts.AdaptiveSide {
		case "short", "long", "height", "width":
		default:
			return nil, s.Errorf("adaptive_side", "%q is not one of [short long height width]", opts.AdaptiveSide)
		}
		step.target, step.side = h, opts.AdaptiveSide
	}
	var err error
	if step.resizer, err = newResizer(opts.Backend, opts.Interpolation); err != nil {
		return nil, s.Errorf("interpolation", "%w", err)
	}
	return step, nil
}

// pair reads an int, which stands for (v, v), or two of them.
func pair(v config.Value) (a, b int, ok bool) {
	var items []config.Value
	switch v := v.(type) {
	case int64:
		items = []config.Value{v, v}
	case config.Tuple:
		items = v
	case config.List:
		items = v
	}
	if len(items) != 2 {
		return 0, 0, false
	}
	x, ok1 := items[0].(int64)
	y, ok2 := items[1].(int64)
	if !ok1 || !ok2 || max(x, y) > maxSide || min(x, y) < -1 {
		return 0, 0, false
	}
	return int(x), int(y), true
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
