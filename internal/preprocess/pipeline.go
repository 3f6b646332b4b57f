package preprocess

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/config"
)

// Steps are the steps that a test pipeline may have, in the order in which they
// must stand. Resize and CenterCrop may be mixed and repeated; Normalize and
// Collect may be left out.
var Steps = []string{"LoadImageFromFile", "Resize", "CenterCrop", "Normalize", "ImageToTensor", "Collect"}

// Pipeline is a test pipeline. It is safe for concurrent use by any number of
// goroutines.
type Pipeline struct {
	transforms []transform
	normalizer *normalizer
}

// NewPipeline builds the pipeline from the sections of data.test.pipeline.
// Whatever it cannot do as the original does is an error here, before the first
// image: a step or an option that we do not have, or an order of steps that makes no sense.
func NewPipeline(steps []config.Section) (*Pipeline, error) {
	p := &Pipeline{normalizer: raw()}
	rank := -1 // of the step before
	for i, s := range steps {
		var head struct {
			Type string `config:"type,required"`
		}
		if err := s.Decode(&head); err != nil {
			return nil, err
		}
		r := slices.Index(Steps, head.Type)
		if r < 0 {
			return nil, s.Errorf("type", "step %q is not one of %v", head.Type, Steps)
		}
		transforms := head.Type == "Resize" || head.Type == "CenterCrop"
		switch {
		case i == 0 && r != 0:
			return nil, s.Errorf("type", "the first step must be LoadImageFromFile, not %s", head.Type)
		case transforms && rank <= 2, r > rank:
		case r == rank:
			return nil, s.Errorf("type", "step %s stands there twice", head.Type)
		default:
			return nil, s.Errorf("type", "step %s after %s: the order must be %v", head.Type, Steps[rank], Steps)
		}
		rank = r
		if err := p.add(head.Type, s); err != nil {
			return nil, err
		}
	}
	if rank < slices.Index(Steps, "ImageToTensor") {
		if len(steps) == 0 {
			return nil, fmt.Errorf("reading the test pipeline: it has no steps; want %v", Steps)
		}
		return nil, steps[len(steps)-1].Errorf("type", "the pipeline ends without ImageToTensor")
	}
	return p, nil
}

// add appends one step.
func (p *Pipeline) add(kind string, s config.Section) error {
	var t transform
	var err error
	switch kind {
	case "LoadImageFromFile":
		return checkLoad(s)
	case "Resize":
		t, err = newResize(s)
	case "CenterCrop":
		t, err = newCenterCrop(s)
	case "Normalize":
		n, err := newNormalize(s)
		if err == nil {
			p.normalizer = n
		}
		return err
	case "ImageToTensor", "Collect":
		return checkKeys(s)
	}
	if err == nil {
		p.transforms = append(p.transforms, t)
	}
	return err
}

// checkLoad accepts the options of LoadImageFromFile that mean what Decode does.
func checkLoad(s config.Section) error {
	opts := struct {
		ToFloat32 bool         `config:"to_float32"`
		ColorType string       `config:"color_type"`
		Client    config.Value `config:"file_client_args"`
	}{ColorType: "color"}
	if err := s.DecodeStrict(&opts); err != nil {
		return err
	}
	if opts.ToFloat32 {
		return s.Errorf("to_float32", "True is not supported: images are processed as 8 bits")
	}
	if opts.ColorType != "color" {
		return s.Errorf("color_type", "%q is not supported, want \"color\"", opts.ColorType)
	}
	if d, ok := opts.Client.(*config.Dict); ok {
		if b, ok := d.Get("backend"); ok && b != "disk" {
			return s.Errorf("file_client_args", "backend %v is not supported, want \"disk\"", b)
		}
	}
	return nil
}

// checkKeys wants the image to be among the keys; there is nothing else here.
func checkKeys(s config.Section) error {
	var opts struct {
		Keys     []string     `config:"keys,required"`
		MetaKeys config.Value `config:"meta_keys"`
	}
	if err := s.DecodeStrict(&opts); err != nil {
		return err
	}
	if !slices.Contains(opts.Keys, "img") {
		return s.Errorf("keys", "%v lacks \"img\"", opts.Keys)
	}
	return nil
}

// String sums the pipeline up in one line, step by step.
func (p *Pipeline) String() string {
	parts := make([]string, 0, len(p.transforms)+1)
	for _, t := range p.transforms {
		parts = append(parts, t.String())
	}
	if p.normalizer.summary != "" {
		parts = append(parts, p.normalizer.summary)
	} else {
		parts = append(parts, "0..255 bgr")
	}
	return strings.Join(parts, " > ")
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
	for _, t := range p.transforms {
		var err error
		if m, err = t.apply(m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// ErrSize says that an image has another size than its place in the batch.
var ErrSize = errors.New("the image does not fit its place in the batch")

// Tensor normalises an image into dst, a CHW array of len 3*m.Height*m.Width:
// red, green and blue planes, or blue, green and red if the pipeline has no
// Normalize step or one with to_rgb=False.
func (p *Pipeline) Tensor(m *Image, dst []float32) error {
	if len(dst) != 3*m.Width*m.Height {
		return fmt.Errorf("%w: the pipeline gave 3x%dx%d values (channels x height x width), the batch wants %d: end the transforms with a fixed size",
			ErrSize, m.Height, m.Width, len(dst))
	}
	p.normalizer.tensor(m, dst)
	return nil
}

// Run decodes an image file, runs the pipeline on it and writes the result to
// dst, one image of a batch, as Tensor does. It returns the height and width of
// the result; where OutputSize knows them they are those.
func (p *Pipeline) Run(data []byte, dst []float32) (height, width int, err error) {
	m, err := Decode(data)
	if err != nil {
		return 0, 0, err
	}
	if m, err = p.Apply(m); err != nil {
		return 0, 0, err
	}
	return m.Height, m.Width, p.Tensor(m, dst)
}
