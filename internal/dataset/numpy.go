package dataset

import (
	"errors"
	"fmt"

	"repvgg/internal/pickle"
)

// maxItems bounds the number of elements in an array. CIFAR's largest has
// 153,600,000.
const maxItems = 1 << 30

// ndarray is a pickled NumPy array of bytes. The zero value is what
// numpy.core.multiarray._reconstruct makes; PySetState then sets its state.
type ndarray struct {
	shape []int
	data  []byte // in row-major (C) order
}

// numpyClass returns our replacement for a class or function that a pickled array
// of bytes names. Any other name is an error.
func numpyClass(module, name string) (any, error) {
	switch module + "." + name {
	case "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct":
		return call(func([]any) (any, error) { return new(ndarray), nil }), nil
	case "numpy.ndarray":
		return class(name), nil
	case "numpy.dtype":
		return call(newDtype), nil
	case "_codecs.encode":
		return call(encodeLatin1), nil
	}
	return nil, fmt.Errorf("it names the class or function %q, which no file of this data set needs; nothing was run", module+"."+name)
}

// call replaces a function.
type call func(args []any) (any, error)

// Call calls the replacement.
func (f call) Call(args ...any) (any, error) { return f(args) }

// class replaces a class that the pickle only names.
type class string

// dtype is the numpy.dtype of an array's elements. Its state, such as the byte
// order, does not matter for bytes.
type dtype struct{ name string }

// PySetState implements gopickle's types.PyStateSettable.
func (*dtype) PySetState(any) error { return nil }

func newDtype(args []any) (any, error) {
	if len(args) > 0 {
		if name, ok := args[0].(string); ok {
			return &dtype{name}, nil
		}
	}
	return nil, errors.New("its dtype has no name")
}

// encodeLatin1 is _codecs.encode(text, "latin1"), with which Python 3 writes bytes
// in protocol 2.
func encodeLatin1(args []any) (any, error) {
	if len(args) != 2 || args[1] != "latin1" {
		return nil, errors.New("it encodes text as something other than latin1")
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, errors.New("it encodes something other than text")
	}
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 255 {
			return nil, errors.New("it encodes text that is not latin1")
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// PySetState implements gopickle's types.PyStateSettable. state is (version, shape,
// dtype, Fortran order, bytes). The bytes may be a str of Python 2.
func (a *ndarray) PySetState(state any) error {
	t, ok := state.(*pickle.Tuple)
	if !ok || t.Len() != 5 {
		return errors.New("its array does not have a NumPy state")
	}
	shape, ok := t.Get(1).(*pickle.Tuple)
	if !ok || shape.Len() > 8 {
		return errors.New("its array has no shape")
	}
	items := 1
	a.shape = make([]int, shape.Len())
	for i := range a.shape {
		n, ok := shape.Get(i).(int)
		if !ok || n < 0 || n > 0 && items > maxItems/n {
			return errors.New("its array has a dimension that is negative, too large or not a number")
		}
		a.shape[i] = n
		items *= n
	}
	if d, ok := t.Get(2).(*dtype); !ok || d.name != "u1" {
		return errors.New("the elements of its array are not bytes (numpy.uint8)")
	}
	switch data := t.Get(4).(type) {
	case string:
		a.data = []byte(data)
	case []byte:
		a.data = data
	default:
		return errors.New("its array has no bytes")
	}
	if len(a.data) != items {
		return fmt.Errorf("its array of shape %v has %d bytes", a.shape, len(a.data))
	}
	if fortran, ok := t.Get(3).(bool); ok && fortran && len(a.shape) == 2 {
		a.data = transposed(a.data, a.shape[0], a.shape[1])
	} else if !ok || fortran && len(a.shape) > 2 {
		return errors.New("its array is stored in an order that is not supported")
	}
	return nil
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
