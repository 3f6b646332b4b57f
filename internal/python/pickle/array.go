package pickle

import (
	"bytes"
	"io"
	"math"
)

// Array is a numpy.ndarray.
type Array struct {
	node
	// DType is the element type as NumPy abbreviates it: "f4", "u1", "i8". It is
	// empty if the array's elements are no plain numbers.
	DType string
	// BigEndian says that the elements' most significant bytes come first.
	BigEndian bool
	// Fortran says that the first index runs fastest, not the last.
	Fortran bool
	Shape   []int

	data any // Bytes, string (of Python 2) or *Blob
}

func (a *Array) clear() { a.DType, a.Shape, a.data = "", nil, nil }

// maxDims is how many dimensions NumPy's arrays can have.
const maxDims = 64

// Numel is the number of elements.
func (a *Array) Numel() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// Open reads the elements' bytes from what was given to Load.
func (a *Array) Open(r io.ReaderAt) io.Reader {
	switch data := a.data.(type) {
	case Bytes:
		return bytes.NewReader([]byte(data))
	case string:
		return bytes.NewReader([]byte(data))
	case *Blob:
		return data.Open(r)
	}
	return bytes.NewReader(nil)
}

// dtype is a numpy.dtype.
type dtype struct {
	name      string
	bigEndian bool
}

// setState takes (version, byte order, ...).
func (d *dtype) setState(state any) {
	if t, ok := state.(*Tuple); ok && len(t.Items) > 1 {
		d.bigEndian = t.Items[1] == ">"
	}
}

// setState takes (version, shape, dtype, Fortran's order or not, bytes).
func (a *Array) setState(state any) error {
	t, ok := state.(*Tuple)
	if !ok || len(t.Items) != 5 {
		return damaged("the state of an array is not that of NumPy's")
	}
	fortran, _ := t.Items[3].(bool)
	filled, err := arrayOf(t.Items[4], t.Items[2], t.Items[1], fortran)
	if err == nil {
		filled.node = a.node
		*a = *filled
	}
	return err
}

// arrayOf makes an array of what its pickle holds.
func arrayOf(data, kind, shape any, fortran bool) (*Array, error) {
	a := &Array{node: node{cost: objectCost + cost(data)}, Fortran: fortran}
	if d, ok := kind.(*dtype); ok {
		a.DType, a.BigEndian = d.name, d.bigEndian
	}
	sides, ok := shape.(*Tuple)
	if !ok || len(sides.Items) > maxDims {
		return nil, damaged("an array has no shape")
	}
	n := 1
	a.Shape = make([]int, len(sides.Items))
	for i, v := range sides.Items {
		side, ok := v.(int64)
		if !ok || side < 0 || side > math.MaxInt32 || side > 0 && n > math.MaxInt/int(side) {
			return nil, damaged("an array has a side that is negative, too large or no number")
		}
		a.Shape[i] = int(side)
		n *= int(side)
	}
	switch data.(type) {
	case Bytes, string, *Blob:
		a.data = data
	default: // a list, of objects
		a.DType = ""
	}
	return a, nil
}
