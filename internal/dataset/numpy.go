package dataset

import (
	"errors"
	"fmt"
	"io"

	"repvgg/internal/python/pickle"
)

// maxItems bounds the number of elements in an array. CIFAR's largest has
// 153,600,000.
const maxItems = 1 << 30

// ndarray is a NumPy array of bytes.
type ndarray struct {
	shape []int
	data  []byte // in row-major (C) order
}

// readArray reads a pickled array of bytes. r is the file that the pickle was
// loaded from.
func readArray(a *pickle.Array, r io.ReaderAt) (*ndarray, error) {
	items := 1
	for _, n := range a.Shape {
		if n > 0 && items > maxItems/n {
			return nil, errors.New("its array has a dimension that is too large")
		}
		items *= n
	}
	if a.DType != "u1" {
		return nil, errors.New("the elements of its array are not bytes (numpy.uint8)")
	}
	data, err := io.ReadAll(a.Open(r))
	if err != nil {
		return nil, err
	}
	if len(data) != items {
		return nil, fmt.Errorf("its array of shape %v has %d bytes", a.Shape, len(data))
	}
	switch {
	case a.Fortran && len(a.Shape) == 2:
		data = transposed(data, a.Shape[0], a.Shape[1])
	case a.Fortran && len(a.Shape) > 2:
		return nil, errors.New("its array is stored in an order that is not supported")
	}
	return &ndarray{a.Shape, data}, nil
}

// transposed converts column-major data to row-major data.
func transposed(data []byte, rows, columns int) []byte {
	out := make([]byte, len(data))
	for c := range columns {
		for r, v := range data[c*rows:][:rows] {
			out[r*columns+c] = v
		}
	}
	return out
}
