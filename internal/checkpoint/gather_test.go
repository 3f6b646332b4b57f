package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/tensor"
)

// counted is a source that counts what is read of it.
type counted struct {
	*bytes.Reader
	reads int
	bytes int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	c.bytes += int64(len(p))
	return c.Reader.ReadAt(p, off)
}

func (c *counted) Verify() error { return nil }

// storageOf holds the numbers from 0 on.
func storageOf(n int, dtype tensor.DType) (*storage, *counted) {
	b := make([]byte, 0, n*dtype.Size())
	for i := range n {
		switch dtype {
		case tensor.Float32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i)))
		case tensor.Int16:
			b = binary.LittleEndian.AppendUint16(b, uint16(i%30000))
		case tensor.Float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(i)))
		}
	}
	c := &counted{Reader: bytes.NewReader(b)}
	return &storage{key: "0", dtype: dtype, numel: n, find: func() (source, error) { return c, nil }}, c
}

// naive gives the elements of a view of such a storage by its definition.
func naive(v tensor.View) []float32 {
	out := make([]float32, v.Numel())
	for i := range out {
		at, rest := v.Offset, i
		for d, n := range slices.Backward(v.Shape) {
			at += rest % n * v.Strides[d]
			rest /= n
		}
		if v.DType == tensor.Int16 {
			at %= 30000
		}
		out[i] = float32(at)
	}
	return out
}

// TestStrides reads views of all kinds, whole and in rows.
func TestStrides(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	views := []tensor.View{
		{Shape: []int{700, 900}, Strides: []int{1, 700}},                                // transposed
		{Shape: []int{64, 32, 3, 3}, Strides: []int{288, 1, 96, 32}},                    // channels last
		{Shape: []int{50, 20000}, Strides: []int{0, 1}},                                 // expanded
		{Shape: []int{30, 40}, Strides: []int{20000, 0}, Offset: 7},                     // expanded, far apart
		{Shape: []int{9}, Strides: []int{70000}},                                        // far apart
		{Shape: []int{2, 3, 4}, Strides: []int{1, 90000, 200}},                          // far apart in the middle
		{Shape: []int{100, 100, 10}, Strides: []int{300, 7, 1}},                         // overlapping
		{Shape: []int{1, 5, 1}, Strides: []int{1 << 40, 3, 1 << 50}},                    // strides that mean nothing
		{Shape: []int{40, 40, 40}, Strides: []int{3001, 3000, 2999}, Offset: 1},         // overlapping, far apart
		{Shape: []int{64, 64, 3, 3}, Strides: []int{1100, 1000, 50000, 7}, Offset: 100}, // wild
	}
	for range 300 {
		v := tensor.View{Offset: random.IntN(1000)}
		left := 600_000
		for range random.IntN(4) + 1 {
			n := random.IntN(12) + 1
			stride := random.IntN(left/n + 1)
			v.Shape, v.Strides = append(v.Shape, n), append(v.Strides, stride)
			left -= (n - 1) * stride
		}
		views = append(views, v)
	}
	for _, dtype := range []tensor.DType{tensor.Float32, tensor.Int16, tensor.Float64} {
		s, c := storageOf(700_000, dtype)
		for _, v := range views {
			v.DType = dtype
			ts := &Tensor{Name: "x", View: v, storage: s}
			c.reads, c.bytes = 0, 0
			got, err := ts.Float32()
			if err != nil {
				t.Fatalf("shape %v, strides %v: %v", v.Shape, v.Strides, err)
			}
			want := naive(v)
			equalBits(t, "whole", got, want)
			if most := int64(4 * 700_000 * dtype.Size()); c.bytes > most+int64(4*len(want)) {
				t.Errorf("shape %v, strides %v: %d bytes were read in %d reads", v.Shape, v.Strides, c.bytes, c.reads)
			}
			from := random.IntN(v.Shape[0])
			to := from + 1 + random.IntN(v.Shape[0]-from)
			width := len(want) / v.Shape[0]
			rows := make([]float32, (to-from)*width)
			if err := ts.ReadRows(rows, from, to, new([]byte)); err != nil {
				t.Fatal(err)
			}
			equalBits(t, "rows", rows, want[from*width:to*width])
		}
	}
}

// TestOverlaps refuses elements that lie on top of one another in a large storage,
// each of which would be a read of its own.
func TestOverlaps(t *testing.T) {
	s, c := storageOf(3_000_000, tensor.Float32)
	ts := &Tensor{Name: "x", storage: s, View: tensor.View{DType: tensor.Float32, Shape: []int{1000, 1000}, Strides: []int{1001, 1001}, Offset: 0}}
	if _, err := ts.Float32(); err != nil || c.reads > 1 {
		t.Errorf("%d reads, %v", c.reads, err)
	}
	ts.Strides = []int{1490, 1490}
	if _, err := ts.Float32(); err == nil || !strings.Contains(err.Error(), `tensor "x": its elements overlap in the file`) {
		t.Errorf("error %v", err)
	}
}
