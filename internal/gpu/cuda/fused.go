//go:build cgo && unix

package cuda

/*
#include "cudnn.h"
*/
import "C"

// Math is the arithmetic that the older interface may use.
type Math int32

// The kinds of arithmetic (cudnnMathType_t).
const (
	DefaultMath  Math = C.RG_DEFAULT_MATH   // float32 may be rounded to tf32
	TensorOpMath Math = C.RG_TENSOR_OP_MATH // tensor cores
	FMAMath      Math = C.RG_FMA_MATH       // no tensor cores
)

// FusedSpec is a convolution of the older interface,
// cudnnConvolutionBiasActivationForward: y = relu(conv(x, w) + add + bias), where
// Tensors.Add may be 0. All tensors, the bias too, are of Type.
type FusedSpec struct {
	Shape ConvShape
	Type  DataType
	Math  Math
	ReLU  bool
}

// Fused is a convolution of the older interface, for tensors at certain addresses.
type Fused struct {
	c        *CUDNN
	l        C.struct_rg_legacy
	at       Tensors
	borrowed bool // the descriptors belong to another Fused
}

// NewFused describes a convolution to cuDNN. One that needs more bytes of
// workspace than there are is an error.
func (c *CUDNN) NewFused(spec FusedSpec, at Tensors, workspace int64) (*Fused, error) {
	s := spec.Shape
	height, width := s.Out()
	shape := C.struct_rg_legacy_shape{
		_type: C.int(spec.Type), math: C.int(spec.Math),
		n: C.int(s.N), c: C.int(s.C), h: C.int(s.H), w: C.int(s.W), k: C.int(s.K), p: C.int(height), q: C.int(width), r: C.int(s.R),
		pad: C.int(s.Pad), stride: C.int(s.Stride), dilation: C.int(s.Dilation), groups: C.int(s.Groups),
	}
	if spec.ReLU {
		shape.relu = 1
	}
	f := &Fused{c: c, at: at}
	var call *C.char
	code := C.rg_legacy_create(&c.lib, c.handle, &shape, &f.l, &call)
	if code != 0 {
		err := c.check(C.GoString(call), code)
		f.Close()
		return nil, err
	}
	if int64(f.l.workspace) > workspace {
		f.Close()
		return nil, errWorkspace
	}
	return f, nil
}

// Rebind is the same convolution for tensors at other addresses. It must be closed
// before f.
func (f *Fused) Rebind(at Tensors) *Fused {
	return &Fused{c: f.c, l: f.l, at: at, borrowed: true}
}

// Run queues the convolution in the stream of the CUDNN that made it.
func (f *Fused) Run() error {
	at := func(p Ptr) C.ulonglong { return C.ulonglong(p) }
	return f.c.check("cudnnConvolutionBiasActivationForward", C.rg_legacy_run(&f.c.lib, f.c.handle, &f.l,
		at(f.at.X), at(f.at.W), at(f.at.Bias), at(f.at.Add), at(f.at.Y), at(f.at.Workspace)))
}

// Close frees the descriptors. A second call does nothing.
func (f *Fused) Close() {
	if !f.borrowed {
		C.rg_legacy_destroy(&f.c.lib, &f.l)
	}
}
