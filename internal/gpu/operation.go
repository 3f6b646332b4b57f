//go:build cgo && unix

package gpu

import (
	"errors"

	"repvgg/internal/gpu/cuda"
)

// operands are the addresses of a convolution's tensors. bias is float32,
// narrowBias the same in the precision of the maps. side is the tensor to add, 0 if
// there is none.
type operands struct{ x, w, bias, narrowBias, side, y, workspace cuda.Ptr }

// tensors are the operands as cuDNN takes them for a method.
func (o operands) tensors(method string) cuda.Tensors {
	t := cuda.Tensors{X: o.x, W: o.w, Add: o.side, Bias: o.narrowBias, Y: o.y, Workspace: o.workspace}
	switch method {
	case methodGraph:
		t.Bias = o.bias
	case methodGraphZero:
		t.Add = o.y
	}
	return t
}

// convolution is a convolution that a program needs.
type convolution struct {
	shape    cuda.ConvShape
	epilogue epilogue
	at       operands
}

// key is the name of the convolution's shape and epilogue.
func (c *convolution) key(p precision) string { return shapeKey(c.shape, c.epilogue, p) }

// with is the same convolution of tensors at other addresses.
func (c *convolution) with(at operands) convolution { return convolution{c.shape, c.epilogue, at} }

// side is the tensor to add, 0 if there is none.
func (c *convolution) side() cuda.Ptr {
	if c.epilogue.Add {
		return c.at.side
	}
	return 0
}

// graph is the convolution as a graph of cuDNN, for a method that is one.
func (c *convolution) graph(p precision, method string) cuda.GraphSpec {
	e := c.epilogue
	g := cuda.GraphSpec{Shape: c.shape, Type: p.dataType(), Add: e.Add, AddWeight: 1, Bias: e.Bias, BiasType: cuda.Float, ReLU: e.ReLU}
	switch method {
	case methodGraphNarrow:
		g.BiasType = g.Type
	case methodGraphZero:
		g.BiasType, g.Add, g.AddWeight = g.Type, true, 0
	case methodGraphPlain:
		g.Add, g.Bias, g.ReLU = false, false, false
	}
	return g
}

// fused is the convolution for the older interface of cuDNN. It must have a bias.
func (c *convolution) fused(p precision) cuda.FusedSpec {
	math := cuda.TensorOpMath
	switch p {
	case fp32:
		math = cuda.FMAMath
	case tf32:
		math = cuda.DefaultMath
	}
	return cuda.FusedSpec{Shape: c.shape, Type: p.dataType(), Math: math, ReLU: c.epilogue.ReLU}
}

// dataType is cuDNN's type of maps and weights.
func (p precision) dataType() cuda.DataType {
	switch p {
	case fp16:
		return cuda.Half
	case bf16:
		return cuda.BFloat16
	}
	return cuda.Float
}

// operation is a convolution that is ready to run.
type operation interface {
	// run queues the convolution in the stream for computing.
	run() error
	// rebind is the same operation for tensors at other addresses. It costs little,
	// and must be closed before the operation that it comes from.
	rebind(at operands) (operation, error)
	close()
}

// graphOperation is a graph of cuDNN.
type graphOperation struct {
	plan   *cuda.Plan
	method string
}

func (o *graphOperation) run() error { return o.plan.Run() }

func (o *graphOperation) rebind(at operands) (operation, error) {
	plan, err := o.plan.Rebind(at.tensors(o.method))
	if err != nil {
		return nil, err
	}
	return &graphOperation{plan, o.method}, nil
}

func (o *graphOperation) close() { o.plan.Close() }

// plainOperation is a graph of the convolution alone, then our kernel for the
// epilogue. In 16 bits that rounds once more.
type plainOperation struct {
	plan *cuda.Plan
	v    *convolver
	c    convolution
}

func (o *plainOperation) run() error {
	if err := o.plan.Run(); err != nil {
		return err
	}
	c, values, p := &o.c, o.c.shape.Results(), o.v.precision
	return o.v.m.launch(o.v.stream, p.pick(finishVector, finishScalar, c.shape.K), p.span(values, c.shape.K),
		c.at.y, c.side(), c.at.bias, values, c.shape.K, c.epilogue.ReLU)
}

func (o *plainOperation) rebind(at operands) (operation, error) {
	plan, err := o.plan.Rebind(at.tensors(methodGraphPlain))
	if err != nil {
		return nil, err
	}
	return &plainOperation{plan, o.v, o.c.with(at)}, nil
}

func (o *plainOperation) close() { o.plan.Close() }

// fusedOperation is a convolution of cuDNN's older interface.
type fusedOperation struct{ f *cuda.Fused }

func (o fusedOperation) run() error { return o.f.Run() }

func (o fusedOperation) rebind(at operands) (operation, error) {
	return fusedOperation{o.f.Rebind(at.tensors(methodLegacy))}, nil
}

func (o fusedOperation) close() { o.f.Close() }

// directOperation is our kernel for a convolution with its epilogue.
type directOperation struct {
	v *convolver
	c convolution
}

func (o *directOperation) run() error {
	if !o.c.epilogue.Bias {
		return errors.New("convolve needs a bias")
	}
	c, s := &o.c, o.c.shape
	height, width := s.Out()
	return o.v.m.launch(o.v.stream, convolve, elements(s.Results()), c.at.y, c.at.x, c.at.w, c.at.bias, c.side(), s.Results(),
		s.H, s.W, s.C, height, width, s.K, s.R, s.Stride, s.Dilation, s.Pad, s.Groups, c.epilogue.ReLU)
}

func (o *directOperation) rebind(at operands) (operation, error) {
	return &directOperation{o.v, o.c.with(at)}, nil
}

func (o *directOperation) close() {}
