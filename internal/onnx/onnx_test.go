package onnx

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// fields parses a message. It returns the contents of length-delimited fields and
// the numbers, by field.
func fields(t *testing.T, b []byte) (parts map[protowire.Number][][]byte, numbers map[protowire.Number]uint64) {
	t.Helper()
	parts, numbers = make(map[protowire.Number][][]byte), make(map[protowire.Number]uint64)
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		switch kind {
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				t.Fatal(protowire.ParseError(n))
			}
			parts[field], b = append(parts[field], v), b[n:]
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				t.Fatal(protowire.ParseError(n))
			}
			numbers[field], b = v, b[n:]
		default:
			t.Fatalf("field %d is of type %d", field, kind)
		}
	}
	return parts, numbers
}

// TestWrite parses a file. It checks the bits of every tensor, and that every input
// of a node is a tensor, the graph's input or the output of an earlier node.
// (TestExport of cmd/repvgg runs models in onnxruntime.)
func TestWrite(t *testing.T) {
	for name, plan := range testkit.Plans(model.Deploy) {
		if plan.Head == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			values := testkit.Weights(plan, 5)
			path := filepath.Join(t.TempDir(), "x.onnx")
			verified := false
			made, err := New(plan, Options{Output: Logits, Height: 7})
			if err != nil {
				t.Fatal(err)
			}
			err = made.Write(t.Context(), path, values, func() error { verified = true; return nil })
			if err != nil || !verified {
				t.Fatalf("%v (verified: %v)", err, verified)
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			m, numbers := fields(t, file)
			if numbers[modelIRVersion] != irVersion || len(m[modelGraph]) != 1 {
				t.Fatalf("IR version %d, %d graphs", numbers[modelIRVersion], len(m[modelGraph]))
			}
			g, _ := fields(t, m[modelGraph][0])
			known := map[string]bool{Input: true}
			for _, b := range g[graphInitializer] {
				init, numbers := fields(t, b)
				name := string(init[tensorName][0])
				known[name] = true
				if numbers[tensorDataType] != float32Type || string(init[tensorRawData][0]) != raw(values[name]) {
					t.Errorf("tensor %q is not what was given", name)
				}
			}
			if want := tensorsOf(plan); len(g[graphInitializer]) != want {
				t.Errorf("%d tensors, want %d", len(g[graphInitializer]), want)
			}
			for _, b := range g[graphNode] {
				n, _ := fields(t, b)
				for _, in := range n[nodeInput] {
					if !known[string(in)] {
						t.Errorf("%s takes %q, which comes from nowhere", n[nodeName][0], in)
					}
				}
				out := string(n[nodeOutput][0])
				if known[out] {
					t.Errorf("%q is there twice", out)
				}
				known[out] = true
			}
			if !known[Logits] {
				t.Error("no node gives the output")
			}
			in, _ := fields(t, g[graphInput][0])
			for _, word := range []string{"batch", "width"} {
				if !strings.Contains(string(in[valueInfoType][0]), word) {
					t.Errorf("the input's %s is not open", word)
				}
			}
			if strings.Contains(string(in[valueInfoType][0]), "height") {
				t.Error("the input's height is open")
			}
		})
	}
}

// tensorsOf returns the number of tensors in the blocks that the classifier needs.
func tensorsOf(p *model.Plan) int {
	q := *p
	q.Blocks = slices.Clone(p.Blocks[:p.Depth])
	return len(q.Tensors())
}

func raw(values []float32) string {
	var b strings.Builder
	for _, v := range values {
		bits := math.Float32bits(v)
		b.Write([]byte{byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)})
	}
	return b.String()
}

// TestWriteFails checks that a failure leaves no file.
func TestWriteFails(t *testing.T) {
	block := testkit.Block(3, 4, 2, 1, 1, 0)
	plan := testkit.Plan(model.Deploy, 5, block)
	weights := testkit.Weights(plan, 1)
	ok := func() error { return nil }
	damaged, unread := errors.New("the file is damaged"), errors.New("it can't be read")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	huge := testkit.Plan(model.Deploy, 1<<30, block)
	for _, c := range []struct {
		name    string
		ctx     context.Context
		plan    *model.Plan
		weights tensor.Source
		verify  func() error
		want    string
	}{
		{"the train form", t.Context(), plan.As(model.Train), weights, ok, "only the deploy form"},
		{"a part", t.Context(), plan.Block(0), weights, ok, "only the deploy form of a whole network"},
		{"too large", t.Context(), huge, weights, ok, "more than the 2147483647"},
		{"cancelled", cancelled, plan, weights, ok, context.Canceled.Error()},
		{"unread", t.Context(), plan, tensor.Func(func(tensor.Spec) ([]float32, error) { return nil, unread }), ok, unread.Error()},
		{"short", t.Context(), plan, tensor.Func(func(tensor.Spec) ([]float32, error) { return make([]float32, 1), nil }), ok, "has 1 values, want shape (4, 3, 3, 3)"},
		{"damaged", t.Context(), plan, weights, func() error { return damaged }, damaged.Error()},
	} {
		dir := t.TempDir()
		made, err := New(c.plan, Options{Output: Probs})
		if err == nil {
			err = made.Write(c.ctx, filepath.Join(dir, "x.onnx"), c.weights, c.verify)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v behind", c.name, left)
		}
	}
}
