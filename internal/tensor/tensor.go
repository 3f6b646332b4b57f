// Package tensor defines element types, shapes, strided views of a flat storage,
// and sources of named tensors. All other packages use them. It does no arithmetic.
package tensor

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// DType is the element type of a tensor, with PyTorch's name.
type DType uint8

// The element types that PyTorch 1.x and 2.x write for weights and counters.
const (
	Invalid DType = iota
	Float32
	Float64
	Float16
	BFloat16
	Int8
	Int16
	Int32
	Int64
	Uint8
	Bool
)

var dtypes = [...]struct {
	name string
	size int
}{
	Invalid:  {"invalid", 0},
	Float32:  {"float32", 4},
	Float64:  {"float64", 8},
	Float16:  {"float16", 2},
	BFloat16: {"bfloat16", 2},
	Int8:     {"int8", 1},
	Int16:    {"int16", 2},
	Int32:    {"int32", 4},
	Int64:    {"int64", 8},
	Uint8:    {"uint8", 1},
	Bool:     {"bool", 1},
}

// String returns PyTorch's name of the type, without the prefix "torch.".
func (d DType) String() string {
	if int(d) >= len(dtypes) {
		return "dtype(" + strconv.Itoa(int(d)) + ")"
	}
	return dtypes[d].name
}

// Size returns the number of bytes of an element.
func (d DType) Size() int { return dtypes[d].size }

// Spec describes a tensor: its name in the state dict and its shape. An empty shape
// is a scalar.
type Spec struct {
	Name  string
	Shape []int
}

// Numel returns the number of elements of the tensor.
func (s Spec) Numel() int { return Numel(s.Shape) }

// Numel returns the product of the dimensions. The product must not overflow. For a
// shape from a file, call View.Check first.
func Numel(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Strides returns the strides of a dense row-major tensor.
func Strides(shape []int) []int {
	strides := make([]int, len(shape))
	stride := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = stride
		stride *= shape[i]
	}
	return strides
}

// FormatShape formats a shape as Python formats a tuple: (64, 3, 3, 3), (10,), ().
func FormatShape(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = strconv.Itoa(d)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// View is a strided view of a storage. All numbers count elements. Element (i, j,
// ...) is at Offset + i*Strides[0] + j*Strides[1] + ...
type View struct {
	DType   DType
	Offset  int
	Shape   []int
	Strides []int
}

// Check returns an error unless every element of the view is inside a storage of
// numel elements. It trusts none of the view's numbers, because they may come from
// a hostile file.
func (v View) Check(numel int) error {
	if len(v.Shape) != len(v.Strides) {
		return fmt.Errorf("shape %s has %d dimensions but there are %d strides",
			FormatShape(v.Shape), len(v.Shape), len(v.Strides))
	}
	if v.Offset < 0 {
		return fmt.Errorf("negative storage offset %d", v.Offset)
	}
	empty, count, last := false, 1, v.Offset
	for i, d := range v.Shape {
		s := v.Strides[i]
		if d < 0 || s < 0 {
			return fmt.Errorf("negative size or stride in shape %s, strides %s",
				FormatShape(v.Shape), FormatShape(v.Strides))
		}
		if d == 0 {
			empty = true
			continue
		}
		if count > math.MaxInt/d || (d > 1 && s > (math.MaxInt-last)/(d-1)) {
			return fmt.Errorf("shape %s with strides %s overflows", FormatShape(v.Shape), FormatShape(v.Strides))
		}
		count *= d
		last += (d - 1) * s
	}
	if !empty && last >= numel {
		return fmt.Errorf("shape %s with strides %s at offset %d reaches element %d of a storage of %d",
			FormatShape(v.Shape), FormatShape(v.Strides), v.Offset, last, numel)
	}
	return nil
}

// Numel returns the number of elements of the view.
func (v View) Numel() int { return Numel(v.Shape) }

// Contiguous reports whether the elements are adjacent, in row-major order.
func (v View) Contiguous() bool {
	want := 1
	for i, size := range slices.Backward(v.Shape) {
		if size != 1 && v.Strides[i] != want {
			return false
		}
		want *= size
	}
	return true
}

// Rows returns the part [from, to) of the first dimension.
func (v View) Rows(from, to int) View {
	shape := slices.Clone(v.Shape)
	shape[0] = to - from
	v.Offset += from * v.Strides[0]
	v.Shape = shape
	return v
}

// Span returns the number of storage elements from the first to the last element of
// the view, including both. Reading them reads all of the view.
func (v View) Span() int {
	span := 1
	for i, d := range v.Shape {
		if d == 0 {
			return 0
		}
		span += (d - 1) * v.Strides[i]
	}
	return span
}
