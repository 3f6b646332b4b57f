package onnx

import (
	"google.golang.org/protobuf/encoding/protowire"

	"repvgg/internal/tensor"
)

// The fields of ONNX's messages that we write, with the names and numbers in
// onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
const (
	modelIRVersion       = 1
	modelProducerName    = 2
	modelProducerVersion = 3
	modelGraph           = 7
	modelOpsetImport     = 8
	modelMetadata        = 14

	propertyKey   = 1
	propertyValue = 2

	opsetVersion = 2

	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12

	nodeInput     = 1
	nodeOutput    = 2
	nodeName      = 3
	nodeOpType    = 4
	nodeAttribute = 5

	attributeName = 1
	attributeI    = 3
	attributeInts = 8
	attributeType = 20
	typeInt       = 2
	typeInts      = 7

	tensorDims     = 1
	tensorDataType = 2
	tensorName     = 8
	tensorRawData  = 9
	float32Type    = 1

	valueInfoName  = 1
	valueInfoType  = 2
	typeTensor     = 1
	tensorElemType = 1
	tensorShape    = 2
	shapeDim       = 1
	dimValue       = 1
	dimParam       = 2
)

// message is a protocol buffer under construction.
type message []byte

func (m *message) int(field protowire.Number, v int) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) string(field protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
}

func (m *message) message(field protowire.Number, inner message) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), inner)
}

// begin starts a field. Its n bytes must follow.
func (m *message) begin(field protowire.Number, n int) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.BytesType), uint64(n))
}

func (m *message) ints(field protowire.Number, v []int) {
	var packed message
	for _, i := range v {
		packed = protowire.AppendVarint(packed, uint64(i))
	}
	m.message(field, packed)
}

// model returns the part of the file before the initializers, which are its end,
// and the size of the whole file.
func (g *graph) model(o Options) (head []byte, size int) {
	var body message
	for _, n := range g.nodes {
		body.message(graphNode, n.message())
	}
	body.string(graphName, "repvgg")
	body.message(graphInput, g.in.message())
	body.message(graphOutput, g.out.message())
	weights := 0
	for _, s := range g.weights {
		weights += len(g.initializer(s)) + dataLen(s)
	}

	var ops message
	ops.int(opsetVersion, opset)
	var m message
	m.int(modelIRVersion, irVersion)
	m.string(modelProducerName, o.Producer)
	m.string(modelProducerVersion, o.Version)
	m.message(modelOpsetImport, ops)
	for _, p := range o.Metadata {
		var property message
		property.string(propertyKey, p.Key)
		property.string(propertyValue, p.Value)
		m.message(modelMetadata, property)
	}
	m.begin(modelGraph, len(body)+weights)
	m = append(m, body...)
	return m, len(m) + weights
}

// initializer returns the graph's field for a tensor, up to the tensor's data.
func (*graph) initializer(s tensor.Spec) []byte {
	var t message
	t.ints(tensorDims, s.Shape)
	t.int(tensorDataType, float32Type)
	t.string(tensorName, s.Name)
	t.begin(tensorRawData, dataLen(s))
	var m message
	m.begin(graphInitializer, len(t)+dataLen(s))
	return append(m, t...)
}

func dataLen(s tensor.Spec) int { return s.Numel() * tensor.Float32.Size() }

func (n node) message() message {
	var m message
	for _, name := range n.inputs {
		m.string(nodeInput, name)
	}
	for _, name := range n.outputs {
		m.string(nodeOutput, name)
	}
	m.string(nodeName, n.name)
	m.string(nodeOpType, n.op)
	for _, a := range n.attributes {
		m.message(nodeAttribute, a)
	}
	return m
}

func integer(name string, v int) (m message) {
	m.string(attributeName, name)
	m.int(attributeI, v)
	m.int(attributeType, typeInt)
	return m
}

func integers(name string, v ...int) (m message) {
	m.string(attributeName, name)
	m.ints(attributeInts, v)
	m.int(attributeType, typeInts)
	return m
}

func (v value) message() message {
	var shape message
	for _, d := range v.dims {
		var m message
		if d.size > 0 {
			m.int(dimValue, d.size)
		} else {
			m.string(dimParam, d.name)
		}
		shape.message(shapeDim, m)
	}
	var t, typ, m message
	t.int(tensorElemType, float32Type)
	t.message(tensorShape, shape)
	typ.message(typeTensor, t)
	m.string(valueInfoName, v.name)
	m.message(valueInfoType, typ)
	return m
}
