//go:build cgo && unix

package gpu

/*
#include "cudnn.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// The tensors of a graph.
const (
	uidX int64 = iota + 1
	uidW
	uidBias
	uidSide
	uidY
	uidVirtual // the first of those that are never in memory
)

// convGraph is a convolution with what follows it, as an operation graph of
// cuDNN: y = relu(conv(x, w) + side + bias).
type convGraph struct {
	*descriptors
	graph    unsafe.Pointer
	method   string
	epilogue epilogue // what the graph has of it
}

// newConvGraph describes a convolution for one of the methods that are graphs.
func newConvGraph(c *cudnn, want wanted, p precision, method string) (*convGraph, error) {
	s, e := want.s, want.ep
	kind, bias := dataType(p), C.int(C.RG_FLOAT)
	switch method {
	case methodGraphNarrow:
		bias = kind
	case methodGraphZero:
		bias, e.Add = kind, true
	case methodGraphPlain:
		e = epilogue{}
	}
	g := &convGraph{descriptors: &descriptors{c: c}, method: method, epilogue: e}
	height, width := s.out()
	x := g.tensor(uidX, kind, s.N, s.C, s.H, s.W, false)
	w := g.tensor(uidW, kind, s.K, s.C/s.Groups, s.R, s.R, false)
	y := g.tensor(uidY, kind, s.N, s.K, height, width, false)

	// Each operation gives a tensor that stays on the chip, the last one y.
	left := 0
	for _, on := range []bool{e.Add, e.Bias, e.ReLU} {
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
	point := func(mode C.int, b unsafe.Pointer, weight C.float) {
		from := at
		at = result()
		operations = append(operations, g.pointwise(mode, from, b, at, weight))
	}
	if e.Add {
		weight := C.float(1)
		if method == methodGraphZero {
			weight = 0
		}
		point(C.RG_POINTWISE_ADD, g.tensor(uidSide, kind, s.N, s.K, height, width, false), weight)
	}
	if e.Bias {
		point(C.RG_POINTWISE_ADD, g.tensor(uidBias, bias, 1, s.K, 1, 1, false), 1)
	}
	if e.ReLU {
		point(C.RG_POINTWISE_RELU, nil, 1)
	}
	g.graph = g.create(C.RG_OPERATION_GRAPH)
	g.descriptors.descriptors(g.graph, C.RG_OPERATIONGRAPH_OPS, operations...)
	g.handle(g.graph, C.RG_OPERATIONGRAPH_HANDLE)
	g.finalize(g.graph)
	if g.err != nil {
		g.destroy()
		return nil, g.err
	}
	return g, nil
}

func (g *convGraph) convolution(s convShape, x, w, y unsafe.Pointer) unsafe.Pointer {
	d := g.create(C.RG_CONVOLUTION)
	g.ints(d, C.RG_CONVOLUTION_SPATIAL_DIMS, 2)
	g.enum(d, C.RG_CONVOLUTION_COMP_TYPE, C.RG_TYPE_DATA_TYPE, C.RG_FLOAT)
	g.enum(d, C.RG_CONVOLUTION_CONV_MODE, C.RG_TYPE_CONVOLUTION_MODE, C.RG_CROSS_CORRELATION)
	for name, v := range map[C.int]int{
		C.RG_CONVOLUTION_DILATIONS: s.Dilation, C.RG_CONVOLUTION_FILTER_STRIDES: s.Stride,
		C.RG_CONVOLUTION_PRE_PADDINGS: s.Pad, C.RG_CONVOLUTION_POST_PADDINGS: s.Pad,
	} {
		g.ints(d, name, int64(v), int64(v))
	}
	g.finalize(d)
	o := g.create(C.RG_OPERATION_CONVOLUTION)
	g.descriptors.descriptors(o, C.RG_CONV_FORWARD_CONV_DESC, d)
	g.descriptors.descriptors(o, C.RG_CONV_FORWARD_X, x)
	g.descriptors.descriptors(o, C.RG_CONV_FORWARD_W, w)
	g.descriptors.descriptors(o, C.RG_CONV_FORWARD_Y, y)
	g.float(o, C.RG_CONV_FORWARD_ALPHA, 1)
	g.float(o, C.RG_CONV_FORWARD_BETA, 0)
	g.finalize(o)
	return o
}

// pointwise is y = mode(x, weight*b); b is nil where the mode takes one operand.
func (g *convGraph) pointwise(mode C.int, x, b, y unsafe.Pointer, weight C.float) unsafe.Pointer {
	d := g.create(C.RG_POINTWISE)
	g.enum(d, C.RG_POINTWISE_MODE, C.RG_TYPE_POINTWISE_MODE, mode)
	g.enum(d, C.RG_POINTWISE_MATH_PREC, C.RG_TYPE_DATA_TYPE, C.RG_FLOAT)
	if mode == C.RG_POINTWISE_RELU {
		g.enum(d, C.RG_POINTWISE_NAN_PROPAGATION, C.RG_TYPE_NAN_PROPAGATION, C.RG_PROPAGATE_NAN)
	}
	g.finalize(d)
	o := g.create(C.RG_OPERATION_POINTWISE)
	g.descriptors.descriptors(o, C.RG_OPERATION_POINTWISE_DESC, d)
	g.descriptors.descriptors(o, C.RG_OPERATION_POINTWISE_X, x)
	if b != nil {
		g.descriptors.descriptors(o, C.RG_OPERATION_POINTWISE_B, b)
	}
	if weight != 1 { // what both are otherwise
		g.float(o, C.RG_OPERATION_POINTWISE_ALPHA1, 1)
		g.float(o, C.RG_OPERATION_POINTWISE_ALPHA2, weight)
	}
	g.descriptors.descriptors(o, C.RG_OPERATION_POINTWISE_Y, y)
	g.finalize(o)
	return o
}

// maxProposals bounds how many engines of a heuristic are looked at.
const maxProposals = 1000

// candidates are the engines that a heuristic of cuDNN proposes and that compute
// what the precision promises, those that it expects to be fast first; an error
// if there are none.
func (g *convGraph) candidates(mode C.int, p precision) ([]choice, error) {
	b := &descriptors{c: g.c}
	defer b.destroy()
	h := b.create(C.RG_HEURISTICS)
	b.descriptors(h, C.RG_ENGINEHEUR_OPERATION_GRAPH, g.graph)
	b.enum(h, C.RG_ENGINEHEUR_MODE, C.RG_TYPE_HEUR_MODE, mode)
	b.finalize(h)
	configs := make([]unsafe.Pointer, min(b.count(h, C.RG_ENGINEHEUR_RESULTS, C.RG_TYPE_DESCRIPTOR), maxProposals))
	if b.err != nil {
		return nil, b.err
	}
	if len(configs) == 0 {
		return nil, errNoEngine
	}
	for i := range configs {
		configs[i] = b.create(C.RG_ENGINE_CONFIG)
	}
	n := b.get(h, C.RG_ENGINEHEUR_RESULTS, C.RG_TYPE_DESCRIPTOR, len(configs), unsafe.Pointer(&configs[0]))
	if b.err != nil {
		return nil, b.err
	}
	var found []choice
	for _, config := range configs[:n] {
		if c, notes, err := b.describe(config); err == nil && p.allowed(notes) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w; %d were proposed", errNoEngine, n)
	}
	return found, nil
}

// describe reads an engine config. Its failure is not that of b.
func (b *descriptors) describe(config unsafe.Pointer) (c choice, notes []int32, err error) {
	d := &descriptors{c: b.c}
	defer d.destroy()
	engine := d.create(C.RG_ENGINE)
	d.get(config, C.RG_ENGINECFG_ENGINE, C.RG_TYPE_DESCRIPTOR, 1, unsafe.Pointer(&engine))
	var index int64
	d.get(engine, C.RG_ENGINE_GLOBAL_INDEX, C.RG_TYPE_INT64, 1, unsafe.Pointer(&index))
	c.Engine = index
	notes = make([]int32, 64) // more than there are kinds
	notes = notes[:d.get(engine, C.RG_ENGINE_NUMERICAL_NOTE, C.RG_TYPE_NUMERICAL_NOTE, len(notes), unsafe.Pointer(&notes[0]))]
	knobs := make([]unsafe.Pointer, maxKnobs)
	for i := range knobs {
		knobs[i] = d.create(C.RG_KNOB_CHOICE)
	}
	n := d.get(config, C.RG_ENGINECFG_KNOB_CHOICES, C.RG_TYPE_DESCRIPTOR, len(knobs), unsafe.Pointer(&knobs[0]))
	for _, k := range knobs[:n] {
		var v knob
		d.get(k, C.RG_KNOB_CHOICE_TYPE, C.RG_TYPE_KNOB_TYPE, 1, unsafe.Pointer(&v.Type))
		d.get(k, C.RG_KNOB_CHOICE_VALUE, C.RG_TYPE_INT64, 1, unsafe.Pointer(&v.Value))
		c.Knobs = append(c.Knobs, v)
	}
	return c, notes, d.err
}

// errTooLarge says that an engine wants more workspace than there is.
var errTooLarge = errors.New("the engine needs too much workspace")

// graphPlan is a graph with an engine, ready to run on certain memory.
type graphPlan struct {
	*descriptors
	graph      *convGraph
	plan, pack unsafe.Pointer
	shared     bool // graph and plan are another's
}

// operands are where the tensors of a convolution lie. bias is of float32,
// narrowBias the same in the precision of the maps; side is 0 if there is none.
type operands struct{ x, w, bias, narrowBias, side, y, workspace devptr }

// newPlan makes a plan of a choice, and checks that its workspace suffices. The
// plan takes the graph over, and destroys it if there is an error.
func (g *convGraph) newPlan(c choice, at operands, workspace int64) (*graphPlan, error) {
	b := &descriptors{c: g.c}
	p := &graphPlan{descriptors: b, graph: g}
	engine := b.create(C.RG_ENGINE)
	b.descriptors(engine, C.RG_ENGINE_OPERATION_GRAPH, g.graph)
	b.ints(engine, C.RG_ENGINE_GLOBAL_INDEX, c.Engine)
	b.finalize(engine)
	config := b.create(C.RG_ENGINE_CONFIG)
	b.descriptors(config, C.RG_ENGINECFG_ENGINE, engine)
	var knobs []unsafe.Pointer
	for _, k := range c.Knobs {
		d := b.create(C.RG_KNOB_CHOICE)
		b.enum(d, C.RG_KNOB_CHOICE_TYPE, C.RG_TYPE_KNOB_TYPE, C.int(k.Type))
		b.ints(d, C.RG_KNOB_CHOICE_VALUE, k.Value)
		b.finalize(d)
		knobs = append(knobs, d)
	}
	if len(knobs) > 0 {
		b.descriptors(config, C.RG_ENGINECFG_KNOB_CHOICES, knobs...)
	}
	b.finalize(config)
	p.plan = b.create(C.RG_EXECUTION_PLAN)
	b.handle(p.plan, C.RG_PLAN_HANDLE)
	b.descriptors(p.plan, C.RG_PLAN_ENGINE_CONFIG, config)
	b.finalize(p.plan)
	var need int64
	b.get(p.plan, C.RG_PLAN_WORKSPACE_SIZE, C.RG_TYPE_INT64, 1, unsafe.Pointer(&need))
	if b.err == nil && need > workspace {
		b.err = errTooLarge
	}
	p.bind(at)
	if b.err != nil {
		p.close()
		return nil, b.err
	}
	return p, nil
}

// bind tells where the tensors are.
func (p *graphPlan) bind(at operands) {
	ids := []int64{uidX, uidW, uidY}
	places := []devptr{at.x, at.w, at.y}
	add := func(id int64, place devptr) { ids, places = append(ids, id), append(places, place) }
	switch {
	case p.graph.method == methodGraphZero:
		add(uidSide, at.y)
	case p.graph.epilogue.Add:
		add(uidSide, at.side)
	}
	switch {
	case p.graph.epilogue.Bias && p.graph.method == methodGraph:
		add(uidBias, at.bias)
	case p.graph.epilogue.Bias:
		add(uidBias, at.narrowBias)
	}
	p.pack = p.create(C.RG_VARIANT_PACK)
	// Device addresses are pointers to C, but none that Go may hold as such.
	p.set(p.pack, C.RG_VARIANT_PACK_DATA_POINTERS, C.RG_TYPE_VOID_PTR, len(places), unsafe.Pointer(&places[0]))
	p.ints(p.pack, C.RG_VARIANT_PACK_UNIQUE_IDS, ids...)
	p.set(p.pack, C.RG_VARIANT_PACK_WORKSPACE, C.RG_TYPE_VOID_PTR, 1, unsafe.Pointer(&at.workspace))
	p.finalize(p.pack)
}

// rebound is the plan for other memory.
func (p *graphPlan) rebound(at operands) (*graphPlan, error) {
	q := &graphPlan{descriptors: &descriptors{c: p.c}, graph: p.graph, plan: p.plan, shared: true}
	q.bind(at)
	if q.err != nil {
		q.close()
		return nil, q.err
	}
	return q, nil
}

func (p *graphPlan) elsewhere(at operands) (operation, error) {
	q, err := p.rebound(at)
	if err != nil {
		return nil, err // not a nil of another type
	}
	return q, nil
}

func (p *graphPlan) run() error {
	return p.c.check("cudnnBackendExecute", C.rg_backend_execute(&p.c.c, p.c.handle, p.plan, p.pack))
}

func (p *graphPlan) close() {
	p.destroy()
	if !p.shared {
		p.graph.destroy()
	}
}
