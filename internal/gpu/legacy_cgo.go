//go:build cgo && unix

package gpu

/*
#include "cudnn.h"
*/
import "C"

// legacyPlan is a convolution by cudnnConvolutionBiasActivationForward.
type legacyPlan struct {
	c      *cudnn
	l      C.struct_rg_legacy
	at     operands
	shared bool // the descriptors are another's
}

// newLegacyPlan serves where the graph interface has no engine. Its bias is in
// the precision of the maps. It is for convolutions with a bias.
func newLegacyPlan(c *cudnn, w wanted, p precision, workspace int64) (*legacyPlan, error) {
	s := w.s
	height, width := s.out()
	math := C.int(C.RG_TENSOR_OP_MATH)
	switch p {
	case fp32:
		math = C.RG_FMA_MATH
	case tf32:
		math = C.RG_DEFAULT_MATH
	}
	shape := C.struct_rg_legacy_shape{
		_type: dataType(p), math: math,
		n: C.int(s.N), c: C.int(s.C), h: C.int(s.H), w: C.int(s.W), k: C.int(s.K), p: C.int(height), q: C.int(width), r: C.int(s.R),
		pad: C.int(s.Pad), stride: C.int(s.Stride), dilation: C.int(s.Dilation), groups: C.int(s.Groups),
	}
	if w.ep.ReLU {
		shape.relu = 1
	}
	l := &legacyPlan{c: c, at: w.at}
	var call *C.char
	code := C.rg_legacy_create(&c.c, c.handle, &shape, &l.l, &call)
	if code != 0 {
		err := c.check(C.GoString(call), code)
		l.close()
		return nil, err
	}
	if int64(l.l.workspace) > workspace {
		l.close()
		return nil, errTooLarge
	}
	return l, nil
}

func (l *legacyPlan) run() error {
	return l.c.check("cudnnConvolutionBiasActivationForward",
		C.rg_legacy_run(&l.c.c, l.c.handle, &l.l, l.at.x, l.at.w, l.at.narrowBias, l.at.side, l.at.y, l.at.workspace))
}

func (l *legacyPlan) elsewhere(at operands) (operation, error) {
	return &legacyPlan{c: l.c, l: l.l, at: at, shared: true}, nil
}

func (l *legacyPlan) close() {
	if !l.shared {
		C.rg_legacy_destroy(&l.c.c, &l.l)
	}
}
