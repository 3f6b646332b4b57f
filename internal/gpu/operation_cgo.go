//go:build cgo && unix

package gpu

import "errors"

// operation is a convolution that is ready to be put into a stream.
type operation interface {
	run() error
	// elsewhere is the same convolution of other memory, without the cost of making
	// it. It is of no use once the operation that it comes from is closed.
	elsewhere(at operands) (operation, error)
	close()
}

// plainPlan is a convolution that cuDNN does alone, and what follows it by a
// kernel of ours. In 16 bits that rounds once more.
type plainPlan struct {
	*graphPlan
	e *convolver
	w wanted
}

func (p *plainPlan) run() error {
	if err := p.graphPlan.run(); err != nil {
		return err
	}
	w, values, precision := &p.w, p.w.s.results(), p.e.precision
	return p.e.m.launch(precision.pick(finishVector, finishScalar, w.s.K), precision.span(values, w.s.K), p.e.stream,
		w.at.y, w.side(), w.at.bias, values, w.s.K, w.ep.ReLU)
}

func (p *plainPlan) elsewhere(at operands) (operation, error) {
	conv, err := p.rebound(at)
	if err != nil {
		return nil, err
	}
	return &plainPlan{conv, p.e, p.w.of(at)}, nil
}

// directPlan is a convolution by our own kernel.
type directPlan struct {
	e *convolver
	w wanted
}

func (p *directPlan) run() error {
	if !p.w.ep.Bias {
		return errors.New("convolve needs a bias")
	}
	w, s := &p.w, p.w.s
	height, width := s.out()
	return p.e.m.launch(convolve, elements(s.results()), p.e.stream, w.at.y, w.at.x, w.at.w, w.at.bias, w.side(), s.results(),
		s.H, s.W, s.C, height, width, s.K, s.R, s.Stride, s.Dilation, s.Pad, s.Groups, w.ep.ReLU)
}

func (p *directPlan) elsewhere(at operands) (operation, error) {
	return &directPlan{p.e, p.w.of(at)}, nil
}

func (p *directPlan) close() {}
