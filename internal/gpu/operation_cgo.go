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
	e  *engine
	s  convShape
	ep epilogue
	at operands
}

func (p *plainPlan) run() error {
	if err := p.graphPlan.run(); err != nil {
		return err
	}
	values, precision := p.s.results(), p.e.precision
	return p.e.m.launch(precision.pick(finishVector, finishScalar, p.s.K), precision.span(values, p.s.K), p.e.stream,
		p.at.y, p.ep.sideOf(p.at), p.at.bias, values, p.s.K, p.ep.ReLU)
}

func (p *plainPlan) elsewhere(at operands) (operation, error) {
	conv, err := p.graphPlan.rebound(at)
	if err != nil {
		return nil, err
	}
	return &plainPlan{conv, p.e, p.s, p.ep, at}, nil
}

// directPlan is a convolution by our own kernel.
type directPlan struct {
	e  *engine
	s  convShape
	ep epilogue
	at operands
}

func (p *directPlan) run() error {
	if !p.ep.Bias {
		return errors.New("convolve needs a bias")
	}
	s := p.s
	height, width := s.out()
	return p.e.m.launch(convolve, elements(s.results()), p.e.stream, p.at.y, p.at.x, p.at.w, p.at.bias, p.ep.sideOf(p.at), s.results(),
		s.H, s.W, s.C, height, width, s.K, s.R, s.Stride, s.Dilation, s.Pad, s.Groups, p.ep.ReLU)
}

func (p *directPlan) elsewhere(at operands) (operation, error) {
	return &directPlan{p.e, p.s, p.ep, at}, nil
}

func (p *directPlan) close() {}

// sideOf is the tensor to add, 0 if there is none.
func (e epilogue) sideOf(at operands) devptr {
	if e.Add {
		return at.side
	}
	return 0
}
