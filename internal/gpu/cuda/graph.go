//go:build cgo && unix

package cuda

/*
#include "cudnn.h"
*/
import "C"

import "unsafe"

// DataType is cuDNN's type of a tensor's values.
type DataType int32

// The types of values (cudnnDataType_t).
const (
	Float    DataType = C.RG_FLOAT
	Half     DataType = C.RG_HALF
	BFloat16 DataType = C.RG_BFLOAT16
)

// Heuristic is one of cuDNN's ways to propose engines.
type Heuristic int32

// The heuristics (cudnnBackendHeurMode_t).
const (
	HeuristicA        Heuristic = C.RG_HEUR_MODE_A
	HeuristicB        Heuristic = C.RG_HEUR_MODE_B
	HeuristicFallback Heuristic = C.RG_HEUR_MODE_FALLBACK
)

// GraphSpec is an operation graph of cuDNN, a convolution and its epilogue:
// y = relu(conv(x, w) + AddWeight*add + bias). It sums in float32.
type GraphSpec struct {
	Shape ConvShape
	// Type is that of x, w, add and y.
	Type DataType
	// Add adds a tensor of y's shape.
	Add       bool
	AddWeight float32
	// Bias adds a value for each channel, of BiasType.
	Bias     bool
	BiasType DataType
	ReLU     bool
}

// Tensors are the addresses of a convolution's tensors in device memory. Add is 0
// if no tensor is added. Workspace is as large as the engine needs.
type Tensors struct{ X, W, Add, Bias, Y, Workspace Ptr }

// The identifiers of a graph's tensors.
const (
	uidX int64 = iota + 1
	uidW
	uidBias
	uidAdd
	uidY
	uidVirtual // the first of those that are never in memory
)

// graph is a GraphSpec as cuDNN's descriptors.
type graph struct {
	*descriptors
	spec   GraphSpec
	handle unsafe.Pointer
}

// newGraph describes a graph to cuDNN.
func (c *CUDNN) newGraph(spec GraphSpec) (*graph, error) {
	g := &graph{descriptors: &descriptors{c: c}, spec: spec}
	s, kind := spec.Shape, C.int(spec.Type)
	height, width := s.Out()
	x := g.tensor(uidX, kind, s.N, s.C, s.H, s.W, false)
	w := g.tensor(uidW, kind, s.K, s.C/s.Groups, s.R, s.R, false)
	y := g.tensor(uidY, kind, s.N, s.K, height, width, false)

	// The last operation gives y, each one before it a virtual tensor.
	left := 0
	for _, on := range []bool{spec.Add, spec.Bias, spec.ReLU} {
		if on {
			left++
		}
	}
	next := uidVirtual
	result := func() unsafe.Pointer {
		if left == 0 {
			return y
		}
		left--
		next++
		return g.tensor(next, C.RG_FLOAT, s.N, s.K, height, width, true)
	}
	at := result()
	operations := []unsafe.Pointer{g.convolution(s, x, w, at)}
	point := func(mode C.int, b unsafe.Pointer, weight float32) {
		from := at
		at = result()
		operations = append(operations, g.pointwise(mode, from, b, at, weight))
	}
	if spec.Add {
		point(C.RG_POINTWISE_ADD, g.tensor(uidAdd, kind, s.N, s.K, height, width, false), spec.AddWeight)
	}
	if spec.Bias {
		point(C.RG_POINTWISE_ADD, g.tensor(uidBias, C.int(spec.BiasType), 1, s.K, 1, 1, false), 1)
	}
	if spec.ReLU {
		point(C.RG_POINTWISE_RELU, nil, 1)
	}
	g.handle = g.create(C.RG_OPERATION_GRAPH)
	g.setDescriptors(g.handle, C.RG_OPERATIONGRAPH_OPS, operations...)
	g.setHandle(g.handle, C.RG_OPERATIONGRAPH_HANDLE)
	g.finalize(g.handle)
	if g.err != nil {
		g.destroy()
		return nil, g.err
	}
	return g, nil
}

func (g *graph) convolution(s ConvShape, x, w, y unsafe.Pointer) unsafe.Pointer {
	d := g.create(C.RG_CONVOLUTION)
	g.setInts(d, C.RG_CONVOLUTION_SPATIAL_DIMS, 2)
	g.setEnum(d, C.RG_CONVOLUTION_COMP_TYPE, C.RG_TYPE_DATA_TYPE, C.RG_FLOAT)
	g.setEnum(d, C.RG_CONVOLUTION_CONV_MODE, C.RG_TYPE_CONVOLUTION_MODE, C.RG_CROSS_CORRELATION)
	for name, v := range map[C.int]int{
		C.RG_CONVOLUTION_DILATIONS: s.Dilation, C.RG_CONVOLUTION_FILTER_STRIDES: s.Stride,
		C.RG_CONVOLUTION_PRE_PADDINGS: s.Pad, C.RG_CONVOLUTION_POST_PADDINGS: s.Pad,
	} {
		g.setInts(d, name, int64(v), int64(v))
	}
	g.finalize(d)
	o := g.create(C.RG_OPERATION_CONVOLUTION)
	g.setDescriptors(o, C.RG_CONV_FORWARD_CONV_DESC, d)
	g.setDescriptors(o, C.RG_CONV_FORWARD_X, x)
	g.setDescriptors(o, C.RG_CONV_FORWARD_W, w)
	g.setDescriptors(o, C.RG_CONV_FORWARD_Y, y)
	g.setFloat(o, C.RG_CONV_FORWARD_ALPHA, 1)
	g.setFloat(o, C.RG_CONV_FORWARD_BETA, 0)
	g.finalize(o)
	return o
}

// pointwise is y = mode(x, weight*b); b is nil where the mode takes one operand.
func (g *graph) pointwise(mode C.int, x, b, y unsafe.Pointer, weight float32) unsafe.Pointer {
	d := g.create(C.RG_POINTWISE)
	g.setEnum(d, C.RG_POINTWISE_MODE, C.RG_TYPE_POINTWISE_MODE, mode)
	g.setEnum(d, C.RG_POINTWISE_MATH_PREC, C.RG_TYPE_DATA_TYPE, C.RG_FLOAT)
	if mode == C.RG_POINTWISE_RELU {
		g.setEnum(d, C.RG_POINTWISE_NAN_PROPAGATION, C.RG_TYPE_NAN_PROPAGATION, C.RG_PROPAGATE_NAN)
	}
	g.finalize(d)
	o := g.create(C.RG_OPERATION_POINTWISE)
	g.setDescriptors(o, C.RG_OPERATION_POINTWISE_DESC, d)
	g.setDescriptors(o, C.RG_OPERATION_POINTWISE_X, x)
	if b != nil {
		g.setDescriptors(o, C.RG_OPERATION_POINTWISE_B, b)
	}
	if weight != 1 { // 1 is the default of both
		g.setFloat(o, C.RG_OPERATION_POINTWISE_ALPHA1, 1)
		g.setFloat(o, C.RG_OPERATION_POINTWISE_ALPHA2, C.float(weight))
	}
	g.setDescriptors(o, C.RG_OPERATION_POINTWISE_Y, y)
	g.finalize(o)
	return o
}

// maxProposals bounds how many proposals of a heuristic are read.
const maxProposals = 1000

// Engines are the engines that a heuristic proposes for a graph, the fastest by
// its estimate first. Proposals that cannot be read are left out. That a heuristic
// knows no engine is an error of cuDNN or an empty list.
func (c *CUDNN) Engines(spec GraphSpec, by Heuristic) ([]Engine, error) {
	g, err := c.newGraph(spec)
	if err != nil {
		return nil, err
	}
	defer g.destroy()
	b := &descriptors{c: c}
	defer b.destroy()
	h := b.create(C.RG_HEURISTICS)
	b.setDescriptors(h, C.RG_ENGINEHEUR_OPERATION_GRAPH, g.handle)
	b.setEnum(h, C.RG_ENGINEHEUR_MODE, C.RG_TYPE_HEUR_MODE, C.int(by))
	b.finalize(h)
	configs := make([]unsafe.Pointer, min(b.count(h, C.RG_ENGINEHEUR_RESULTS, C.RG_TYPE_DESCRIPTOR), maxProposals))
	if b.err != nil || len(configs) == 0 {
		return nil, b.err
	}
	for i := range configs {
		configs[i] = b.create(C.RG_ENGINE_CONFIG)
	}
	n := b.get(h, C.RG_ENGINEHEUR_RESULTS, C.RG_TYPE_DESCRIPTOR, len(configs), unsafe.Pointer(&configs[0]))
	if b.err != nil {
		return nil, b.err
	}
	var engines []Engine
	for _, config := range configs[:n] {
		if e, err := c.describe(config); err == nil {
			engines = append(engines, e)
		}
	}
	return engines, nil
}

// describe reads an engine config.
func (c *CUDNN) describe(config unsafe.Pointer) (e Engine, err error) {
	d := &descriptors{c: c}
	defer d.destroy()
	engine := d.create(C.RG_ENGINE)
	d.get(config, C.RG_ENGINECFG_ENGINE, C.RG_TYPE_DESCRIPTOR, 1, unsafe.Pointer(&engine))
	var index int64 // C must not see e, which holds Go pointers
	d.get(engine, C.RG_ENGINE_GLOBAL_INDEX, C.RG_TYPE_INT64, 1, unsafe.Pointer(&index))
	e.Index = index
	const room = 64 // more than there are kinds of notes
	notes := make([]int32, room)
	e.Notes = notes[:d.get(engine, C.RG_ENGINE_NUMERICAL_NOTE, C.RG_TYPE_NUMERICAL_NOTE, room, unsafe.Pointer(&notes[0]))]
	knobs := make([]unsafe.Pointer, MaxKnobs)
	for i := range knobs {
		knobs[i] = d.create(C.RG_KNOB_CHOICE)
	}
	n := d.get(config, C.RG_ENGINECFG_KNOB_CHOICES, C.RG_TYPE_DESCRIPTOR, len(knobs), unsafe.Pointer(&knobs[0]))
	for _, k := range knobs[:n] {
		var v Knob
		d.get(k, C.RG_KNOB_CHOICE_TYPE, C.RG_TYPE_KNOB_TYPE, 1, unsafe.Pointer(&v.Type))
		d.get(k, C.RG_KNOB_CHOICE_VALUE, C.RG_TYPE_INT64, 1, unsafe.Pointer(&v.Value))
		e.Knobs = append(e.Knobs, v)
	}
	return e, d.err
}
