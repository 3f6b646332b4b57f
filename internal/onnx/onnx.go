// Package onnx writes the deploy form of a network as an ONNX model for
// onnxruntime, TensorRT, OpenVINO and other runtimes. It supports only the
// operators of such a network, and does not read models.
package onnx

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"repvgg/internal/atomicfile"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// The version of the operators, which runtimes support since 2020, and the matching
// version of the file format.
const (
	opset     = 13
	irVersion = 7
)

// maxBytes is the largest size of a protocol buffer.
const maxBytes = math.MaxInt32

// Names of the model's input and output. The input has the shape (N, InChannels, H,
// W), with images as the config's pipeline makes them. The output has the shape (N,
// Classes).
const (
	Input  = "input"
	Probs  = "probs"
	Logits = "logits"
)

// Options are the properties of a model that a Plan does not have.
type Options struct {
	// Output is Probs, the softmax of the logits, or Logits.
	Output string
	// Batch, Height and Width fix the size of the input. 0 makes a dimension dynamic.
	Batch, Height, Width int
	// Producer and Version name the program that writes the file.
	Producer, Version string
	// Metadata is stored in the file for its readers.
	Metadata []Property
}

// Property is an entry of a model's metadata.
type Property struct{ Key, Value string }

// Model is a network that is ready to be written.
type Model struct {
	graph *graph
	head  []byte // the part of the file before the weights
}

// New makes a model from a plan, which must be the deploy form of a whole network.
// It needs no weights.
func New(p *model.Plan, o Options) (*Model, error) {
	if p.Form != model.Deploy || p.Head == nil {
		return nil, errors.New("only the deploy form of a whole network can be written")
	}
	g := newGraph(p, o)
	head, size := g.model(o)
	if size > maxBytes {
		return nil, fmt.Errorf("the network takes %d bytes, more than the %d that an ONNX file can have", size, maxBytes)
	}
	return &Model{g, head}, nil
}

// Write writes the model to a file, with the values of its tensors from weights. It
// calls verify after all values were read. The file appears under its name only
// when it is complete and verify has returned nil. Memory does not grow with the
// network.
func (m *Model) Write(ctx context.Context, path string, weights tensor.Source, verify func() error) error {
	var reading error // its message names the file that was read
	err := atomicfile.Write(path, func(w *bufio.Writer) error {
		_, _ = w.Write(m.head) // w keeps the first error for atomicfile.Write
		if reading = m.graph.writeWeights(ctx, w, weights); reading == nil {
			reading = verify()
		}
		return reading
	})
	if err != nil && reading == nil {
		err = fmt.Errorf("writing %q: %w", path, err)
	}
	return err
}

// writeWeights writes the graph's weights. If w fails, it stops and returns nil,
// because w keeps the error.
func (g *graph) writeWeights(ctx context.Context, w *bufio.Writer, weights tensor.Source) error {
	const part = 16 << 10 // values at a time
	buf := make([]byte, 0, part*tensor.Float32.Size())
	for _, spec := range g.weights {
		if err := ctx.Err(); err != nil {
			return err
		}
		values, err := tensor.Load(weights, spec)
		if err != nil {
			return err
		}
		_, err = w.Write(g.initializer(spec))
		for values := range slices.Chunk(values, part) {
			buf = buf[:0]
			for _, v := range values {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			_, err = w.Write(buf)
		}
		if err != nil {
			return nil //nolint:nilerr // w keeps the error
		}
	}
	return nil
}

// graph is a network in ONNX's form: nodes that name their inputs and outputs.
type graph struct {
	nodes   []node
	weights []tensor.Spec
	in, out value
}

type node struct {
	name, op        string
	inputs, outputs []string
	attributes      []message
}

// value is an input or output of the graph.
type value struct {
	name string
	dims []dim
}

// dim is a dimension: a size, or a name if the dimension is dynamic. Equal names
// mean equal sizes.
type dim struct {
	size int
	name string
}

func newGraph(p *model.Plan, o Options) *graph {
	batch := dim{o.Batch, "batch"}
	g := &graph{
		in:  value{Input, []dim{batch, {size: p.InChannels}, {o.Height, "height"}, {o.Width, "width"}}},
		out: value{o.Output, []dim{batch, {size: p.Head.Classes}}},
	}
	x := Input
	for i := range p.Blocks[:p.Depth] {
		x = g.block(&p.Blocks[i], x)
	}
	x = g.add("head", "GlobalAveragePool", []string{x})
	x = g.add("head", "Flatten", []string{x}, integer("axis", 1))
	head := p.HeadTensors()
	x = g.add("head", "Gemm", []string{x, g.weight(head[0]), g.weight(head[1])}, integer("transB", 1))
	if o.Output == Probs {
		g.add("head", "Softmax", []string{x}, integer("axis", 1))
	}
	g.nodes[len(g.nodes)-1].outputs = []string{o.Output}
	return g
}

// block adds the nodes of a block: convolution, squeeze-and-excitation and
// activation.
func (g *graph) block(b *model.Block, x string) string {
	x = g.add(b.Name, "Conv", []string{x, g.weight(b.WeightSpec()), g.weight(b.BiasSpec())},
		integers("kernel_shape", b.KernelH, b.KernelW),
		integers("strides", b.Stride, b.Stride),
		integers("pads", b.PadH, b.PadW, b.PadH, b.PadW),
		integers("dilations", b.Dilation, b.Dilation),
		integer("group", b.Groups))
	if se := b.SETensors(); len(se) > 0 {
		name := b.Name + "." + b.SE.Name
		y := g.add(name, "GlobalAveragePool", []string{x})
		y = g.add(name+".conv1", "Conv", []string{y, g.weight(se[0]), g.weight(se[1])}, integers("kernel_shape", 1, 1))
		y = g.add(name+".conv1", "Relu", []string{y})
		y = g.add(name+".conv2", "Conv", []string{y, g.weight(se[2]), g.weight(se[3])}, integers("kernel_shape", 1, 1))
		y = g.add(name+".conv2", "Sigmoid", []string{y})
		x = g.add(name, "Mul", []string{x, y})
	}
	if b.Activation == model.ReLU {
		x = g.add(b.Name, "Relu", []string{x})
	}
	return x
}

// add appends a node and returns the name of its output, which is also the node's
// name.
func (g *graph) add(part, op string, inputs []string, attributes ...message) string {
	name := part + "." + op
	g.nodes = append(g.nodes, node{name, op, inputs, []string{name}, attributes})
	return name
}

func (g *graph) weight(s tensor.Spec) string {
	g.weights = append(g.weights, s)
	return s.Name
}
