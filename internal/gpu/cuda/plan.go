//go:build cgo && unix

package cuda

/*
#include "cudnn.h"
*/
import "C"

import (
	"errors"
	"unsafe"
)

// errWorkspace says that a convolution needs more workspace than there is.
var errWorkspace = errors.New("the engine needs too much workspace")

// Plan is a graph with an engine, for tensors at certain addresses.
type Plan struct {
	*descriptors
	graph      *graph
	plan, pack unsafe.Pointer
	borrowed   bool // graph and plan belong to another Plan
}

// NewPlan compiles a graph with an engine. An engine that needs more bytes of
// workspace than there are is an error.
func (c *CUDNN) NewPlan(spec GraphSpec, e Engine, at Tensors, workspace int64) (*Plan, error) {
	g, err := c.newGraph(spec)
	if err != nil {
		return nil, err
	}
	b := &descriptors{c: c}
	p := &Plan{descriptors: b, graph: g}
	engine := b.create(C.RG_ENGINE)
	b.setDescriptors(engine, C.RG_ENGINE_OPERATION_GRAPH, g.handle)
	b.setInts(engine, C.RG_ENGINE_GLOBAL_INDEX, e.Index)
	b.finalize(engine)
	config := b.create(C.RG_ENGINE_CONFIG)
	b.setDescriptors(config, C.RG_ENGINECFG_ENGINE, engine)
	var knobs []unsafe.Pointer
	for _, k := range e.Knobs {
		d := b.create(C.RG_KNOB_CHOICE)
		b.setEnum(d, C.RG_KNOB_CHOICE_TYPE, C.RG_TYPE_KNOB_TYPE, C.int(k.Type))
		b.setInts(d, C.RG_KNOB_CHOICE_VALUE, k.Value)
		b.finalize(d)
		knobs = append(knobs, d)
	}
	if len(knobs) > 0 {
		b.setDescriptors(config, C.RG_ENGINECFG_KNOB_CHOICES, knobs...)
	}
	b.finalize(config)
	p.plan = b.create(C.RG_EXECUTION_PLAN)
	b.setHandle(p.plan, C.RG_PLAN_HANDLE)
	b.setDescriptors(p.plan, C.RG_PLAN_ENGINE_CONFIG, config)
	b.finalize(p.plan)
	var need int64
	b.get(p.plan, C.RG_PLAN_WORKSPACE_SIZE, C.RG_TYPE_INT64, 1, unsafe.Pointer(&need))
	if b.err == nil && need > workspace {
		b.err = errWorkspace
	}
	p.bind(at)
	if b.err != nil {
		p.Close()
		return nil, b.err
	}
	return p, nil
}

// bind gives cuDNN the addresses of the tensors.
func (p *Plan) bind(at Tensors) {
	ids := []int64{uidX, uidW, uidY}
	addresses := []Ptr{at.X, at.W, at.Y}
	if p.graph.spec.Add {
		ids, addresses = append(ids, uidAdd), append(addresses, at.Add)
	}
	if p.graph.spec.Bias {
		ids, addresses = append(ids, uidBias), append(addresses, at.Bias)
	}
	p.pack = p.create(C.RG_VARIANT_PACK)
	// To C they are pointers. Go must not hold an address of the device as one.
	p.set(p.pack, C.RG_VARIANT_PACK_DATA_POINTERS, C.RG_TYPE_VOID_PTR, len(addresses), unsafe.Pointer(&addresses[0]))
	p.setInts(p.pack, C.RG_VARIANT_PACK_UNIQUE_IDS, ids...)
	p.set(p.pack, C.RG_VARIANT_PACK_WORKSPACE, C.RG_TYPE_VOID_PTR, 1, unsafe.Pointer(&at.Workspace))
	p.finalize(p.pack)
}

// Rebind is the same plan for tensors at other addresses, without compiling it
// again. It must be closed before p.
func (p *Plan) Rebind(at Tensors) (*Plan, error) {
	q := &Plan{descriptors: &descriptors{c: p.c}, graph: p.graph, plan: p.plan, borrowed: true}
	q.bind(at)
	if q.err != nil {
		q.Close()
		return nil, q.err
	}
	return q, nil
}

// Run queues the convolution in the stream of the CUDNN that made the plan.
func (p *Plan) Run() error {
	return p.c.check("cudnnBackendExecute", C.rg_backend_execute(&p.c.lib, p.c.handle, p.plan, p.pack))
}

// Close frees the plan. A second call does nothing.
func (p *Plan) Close() {
	p.destroy()
	if !p.borrowed {
		p.graph.destroy()
	}
}
