package preprocess

import (
	"fmt"
	"math"
)

// A Step describes a step of a pipeline: a Load, Resize, CenterCrop or Normalize.
type Step interface {
	// addTo checks the description and adds what it describes to a pipeline.
	addTo(p *Pipeline) *StepError
}

// A StepError is what is wrong with the description of a step.
type StepError struct {
	Step int // which one, from 0
	// Field is the name of the struct's field that is wrong; empty if the step is
	// wrong as such.
	Field string
	Err   error
}

func (e *StepError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("step %d: %v", e.Step, e.Err)
	}
	return fmt.Sprintf("step %d: %s: %v", e.Step, e.Field, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// wrong is an error about a field; New adds which step's it is.
func wrong(field, format string, args ...any) *StepError {
	return &StepError{Field: field, Err: fmt.Errorf(format, args...)}
}

// Load reads and decodes an image file: LoadImageFromFile of MMClassification.
type Load struct{}

func (Load) addTo(p *Pipeline) *StepError {
	if p.files || len(p.transforms) > 0 || p.normalizer != nil {
		return wrong("", "images are read once, by the first step")
	}
	p.files = true
	return nil
}

// Resize scales an image.
type Resize struct {
	// Height and Width of the result, unless Side is given.
	Height, Width int
	// Side is the one that gets the length Length: short, long, height or width.
	// The other keeps the aspect ratio.
	Side   string
	Length int
	// Backend is cv2 or pillow. Interpolation is what the backend calls it: of both
	// nearest, bilinear, bicubic and lanczos, of cv2 area, of pillow box and hamming.
	Backend, Interpolation string
}

func (r Resize) addTo(p *Pipeline) *StepError {
	step := &resizeStep{height: r.Height, width: r.Width, target: r.Length, side: r.Side}
	switch r.Side {
	case "":
		if !isSide(r.Height) || !isSide(r.Width) {
			return wrong("Height", "want a positive height and width, got %d and %d", r.Height, r.Width)
		}
	case "short", "long", "height", "width":
		if !isSide(r.Length) {
			return wrong("Length", "want a positive length, got %d", r.Length)
		}
	default:
		return wrong("Side", "%q is not one of [short long height width]", r.Side)
	}
	var err error
	if step.resizer, err = newResizer(r.Backend, r.Interpolation); err != nil {
		return wrong("Interpolation", "%w", err)
	}
	return p.addTransform(step)
}

// CenterCrop keeps the middle of an image.
type CenterCrop struct {
	// Height and Width of what is kept. An image that is smaller along an axis
	// keeps its size there.
	Height, Width int
	// EfficientNet makes the crop grow with the image, to the part
	// Height/(Height+Padding) of its short side, and then resizes it to Height,
	// which must be Width, as Resize does.
	EfficientNet           bool
	Padding                int
	Backend, Interpolation string
}

func (c CenterCrop) addTo(p *Pipeline) *StepError {
	if !isSide(c.Height) || !isSide(c.Width) {
		return wrong("Height", "want a positive height and width, got %d and %d", c.Height, c.Width)
	}
	step := &cropStep{height: c.Height, width: c.Width}
	if !c.EfficientNet {
		return p.addTransform(step)
	}
	if c.Height != c.Width {
		return wrong("Height", "want a square in the style of EfficientNet, got %d x %d", c.Height, c.Width)
	}
	if c.Padding < 0 || c.Padding > maxSide {
		return wrong("Padding", "want an int of 0 or more, got %d", c.Padding)
	}
	step.padding = c.Padding
	var err error
	if step.resizer, err = newResizer(c.Backend, c.Interpolation); err != nil {
		return wrong("Interpolation", "%w", err)
	}
	return p.addTransform(step)
}

// isSide reports whether an image can have a side of n pixels.
func isSide(n int) bool { return n >= 1 && n <= maxSide }

// Normalize subtracts the mean of each channel and divides by its deviation.
type Normalize struct {
	// Mean and Std have a number for each channel: 3, or 1 for grey images.
	Mean, Std []float64
	// ToRGB exchanges the first and the last channel, whatever they are: blue and
	// red of an image file, red and blue of an array.
	ToRGB bool
}

func (n Normalize) addTo(p *Pipeline) *StepError {
	if p.normalizer != nil {
		return wrong("", "images are normalised once, by the last step")
	}
	if count := len(n.Mean); count != 1 && count != 3 {
		return wrong("Mean", "want 3 numbers, or 1 for grey images, got %d", count)
	}
	if len(n.Std) != len(n.Mean) {
		return wrong("Std", "want as many numbers as the mean has, %d, got %d", len(n.Mean), len(n.Std))
	}
	for _, l := range []struct {
		field  string
		values []float64
	}{{"Mean", n.Mean}, {"Std", n.Std}} {
		for _, v := range l.values {
			if v32 := float64(float32(v)); math.IsNaN(v32) || math.IsInf(v32, 0) || l.field == "Std" && v32 == 0 {
				return wrong(l.field, "%v is not a number to normalise with", v)
			}
		}
	}
	p.normalizer = normalize(n.Mean, n.Std, n.ToRGB, p.files)
	return nil
}
