package preprocess

import (
	"errors"
	"fmt"
	"strings"
)

// Pipeline is a test pipeline. It is safe for concurrent use by any number of
// goroutines.
type Pipeline struct {
	files      bool // begins with Load
	transforms []transform
	normalizer *normalizer
}

// New builds the pipeline that the steps describe, in their order: Load, if there
// is one, comes first and Normalize last. An error is a *StepError.
func New(steps []Step) (*Pipeline, error) {
	p := &Pipeline{}
	for i, s := range steps {
		if err := s.addTo(p); err != nil {
			err.Step = i
			return nil, err
		}
	}
	if p.normalizer == nil {
		p.normalizer = raw(p.files)
	}
	return p, nil
}

// addTransform appends a resize or a crop.
func (p *Pipeline) addTransform(t transform) *StepError {
	if p.normalizer != nil {
		return wrong("", "it comes after Normalize, which must be the last")
	}
	if n := len(p.transforms); n > 0 {
		resize, isResize := p.transforms[n-1].(*resizeStep)
		crop, isCrop := t.(*cropStep)
		if isResize && isCrop && crop.resizer == nil {
			p.transforms[n-1] = resizeCrop{resize, crop}
			return nil
		}
	}
	p.transforms = append(p.transforms, t)
	return nil
}

// ReadsFiles tells whether the pipeline begins with Load. One that does not is for
// a data set that holds images as arrays.
func (p *Pipeline) ReadsFiles() bool { return p.files }

// CheckChannels reports a pipeline that can't take images of so many channels.
func (p *Pipeline) CheckChannels(n int) error {
	if c := p.normalizer.channels; c != 0 && c != n {
		return fmt.Errorf("step Normalize has mean and std of %d channels, but the images have %d", c, n)
	}
	return nil
}

// String sums the pipeline up in one line, step by step.
func (p *Pipeline) String() string {
	parts := make([]string, 0, len(p.transforms)+1)
	for _, t := range p.transforms {
		parts = append(parts, t.String())
	}
	return strings.Join(append(parts, p.normalizer.summary), " > ")
}

// OutputSize is the height and width of the result if they are the same for
// every image; otherwise ok is false, and they are to be taken from Run or Apply.
func (p *Pipeline) OutputSize() (height, width int, ok bool) {
	b := bounds{span{1, maxSide}, span{1, maxSide}}
	for _, t := range p.transforms {
		b = t.sizes(b)
	}
	if b.height.low != b.height.high || b.width.low != b.width.high {
		return 0, 0, false
	}
	return b.height.low, b.width.low, true
}

// Apply runs the resizes and crops. The result may be m itself; m is not changed.
func (p *Pipeline) Apply(m *Image) (*Image, error) {
	return p.NewWorker().Apply(m)
}

// ErrSize says that an image has another size than its place in the batch.
var ErrSize = errors.New("the image does not fit its place in the batch")

// Tensor normalises an image into dst, a CHW array of len C*m.Height*m.Width: one
// plane of a grey image; otherwise red, green and blue, or blue, green and red.
// Files give blue first if the pipeline has no Normalize step or one with
// to_rgb=False; arrays (red, green, blue) if it has one with to_rgb=True.
func (p *Pipeline) Tensor(m *Image, dst []float32) error {
	if err := p.checkPlace(m, len(dst)); err != nil {
		return err
	}
	p.normalizer.tensor(m, dst)
	return nil
}

// Pixels copies an image into dst as it is before it is normalised, H, W, C: for
// a network that normalises by Table on its own.
func (p *Pipeline) Pixels(m *Image, dst []byte) error {
	if err := p.checkPlace(m, len(dst)); err != nil {
		return err
	}
	copy(dst, m.Pix)
	return nil
}

// checkPlace reports an image that is not what its place of n values is for.
func (p *Pipeline) checkPlace(m *Image, n int) error {
	if err := p.CheckChannels(m.Channels()); err != nil {
		return err
	}
	if n != m.Channels()*m.Width*m.Height {
		return fmt.Errorf("%w: the pipeline gave %dx%dx%d values (channels x height x width), the batch wants %d: end the transforms with a fixed size",
			ErrSize, m.Channels(), m.Height, m.Width, n)
	}
	return nil
}

// Table is how Tensor normalises images of so many channels, 1 or 3: 256 values
// for each plane of the result. reversed says that the first plane is made of
// the last channel.
func (p *Pipeline) Table(channels int) (values []float32, reversed bool) {
	for _, t := range p.normalizer.tables[:channels] {
		values = append(values, t[:]...)
	}
	return values, p.normalizer.reversed && channels > 1
}

// Run decodes an image file, runs the pipeline on it and writes the result to
// dst, one image of a batch, as Tensor does. It returns the height and width of
// the result; where OutputSize knows them they are those.
func (p *Pipeline) Run(data []byte, dst []float32) (height, width int, err error) {
	w := p.NewWorker()
	m, err := w.Decode(data)
	if err != nil {
		return 0, 0, err
	}
	if m, err = w.Apply(m); err != nil {
		return 0, 0, err
	}
	return m.Height, m.Width, p.Tensor(m, dst)
}

// Worker takes one image after the other through a pipeline, in the same memory.
// It is for one goroutine. An image that it gives is valid until the next one
// is decoded.
type Worker struct {
	pipeline *Pipeline
	decoded  []byte
	buffers  buffers
}

// NewWorker makes a worker.
func (p *Pipeline) NewWorker() *Worker { return &Worker{pipeline: p} }

// Decode is Decode in the worker's memory.
func (w *Worker) Decode(data []byte) (*Image, error) {
	m, err := decode(data, w.decoded)
	if err == nil && cap(m.Pix) <= maxKept {
		w.decoded = m.Pix[:0]
	}
	return m, err
}

// Apply runs the resizes and crops on an image, which is not changed. The
// result may be m itself.
func (w *Worker) Apply(m *Image) (*Image, error) {
	for _, t := range w.pipeline.transforms {
		var err error
		if m, err = t.apply(m, &w.buffers); err != nil {
			return nil, err
		}
	}
	return m, nil
}
