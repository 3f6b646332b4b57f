package dataset

import (
	"errors"
	"fmt"
	"io"

	"repvgg/internal/python/pickle"
)

// maxItems bounds the elements of an array. CIFAR's largest has 153,600,000.
const maxItems = 1 << 30

// ndarray is a numpy array of bytes.
type ndarray struct {
	shape []int
	data  []byte // row by row (C order)
}

// readArray reads a pickled array of bytes out of what the pickle was loaded from.
func readArray(a *pickle.Array, r io.ReaderAt) (*ndarray, error) {
	items := 1
	for _, n := range a.Shape {
		if n > 0 && items > maxItems/n {
			return nil, errors.New("its array has a side that is too large")
		}
		items *= n
	}
	if a.DType != "u1" {
		return nil, errors.New("its array is not one of bytes (numpy.uint8)")
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

// transposed turns columns one after the other into rows one after the other.
func transposed(data []byte, rows, columns int) []byte {
	out := make([]byte, len(data))
	for c := range columns {
		for r, v := range data[c*rows:][:rows] {
			out[r*columns+c] = v
		}
	}
	return out
}
