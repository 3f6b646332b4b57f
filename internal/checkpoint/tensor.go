package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"

	"repvgg/internal/tensor"
)

// Tensor is a named view of a storage in the file.
type Tensor struct {
	Name string
	tensor.View
	storage *storage
}

// Check finds the tensor's storage and checks that the view lies inside it. It
// reads no values.
func (t *Tensor) Check() error {
	if _, err := t.storage.open(); err != nil {
		return t.wrap(err)
	}
	return t.wrap(t.View.Check(t.storage.numel))
}

func (t *Tensor) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tensor %q: %w", t.Name, err)
}

// chunk is how many bytes are read at a time: enough to make a system call
// cheap, few enough to stay in a core's cache.
const chunk = 256 << 10

// Float32 reads all values of the tensor in row-major order, as float32; see
// ReadRows for the conversion.
func (t *Tensor) Float32() ([]float32, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	values := make([]float32, t.Numel())
	if len(t.Shape) == 0 {
		scalar := tensor.View{DType: t.DType, Offset: t.Offset, Shape: []int{1}, Strides: []int{1}}
		return values, t.wrap(t.read(values, scalar, new([]byte)))
	}
	return values, t.ReadRows(values, 0, t.Shape[0], new([]byte))
}

// ReadRows reads the part [from, to) of the first dimension into dst, dense and
// row-major. Float16 and bfloat16 widen exactly, float64 and integers round to
// nearest even, as PyTorch's copy to a float32 parameter does. buf is scratch
// that grows to a bounded size; calls that share it must not overlap.
//
// What was read is only known to be intact after File.Verify.
func (t *Tensor) ReadRows(dst []float32, from, to int, buf *[]byte) error {
	if err := t.Check(); err != nil {
		return err
	}
	if from < 0 || to < from || to > t.Shape[0] {
		return t.wrap(fmt.Errorf("rows %d to %d of shape %s", from, to, tensor.FormatShape(t.Shape)))
	}
	v := t.Rows(from, to)
	if len(dst) != v.Numel() {
		return t.wrap(fmt.Errorf("%d values for a destination of %d", v.Numel(), len(dst)))
	}
	return t.wrap(t.read(dst, v, buf))
}

// read fills dst with the elements of v.
func (t *Tensor) read(dst []float32, v tensor.View, buf *[]byte) error {
	if *buf == nil {
		*buf = make([]byte, chunk)
	}
	switch {
	case len(dst) == 0:
		return nil
	case v.Contiguous():
		return t.readDense(dst, v.Offset, *buf)
	case v.Span()*v.DType.Size() <= chunk:
		return t.gather(dst, v, *buf)
	case len(v.Shape) == 1:
		return t.readApart(dst, v, *buf)
	}
	// Too far apart for one read: split along the first dimension.
	rest := tensor.View{DType: v.DType, Shape: v.Shape[1:], Strides: v.Strides[1:]}
	n := rest.Numel()
	for i := range v.Shape[0] {
		rest.Offset = v.Offset + i*v.Strides[0]
		if err := t.read(dst[i*n:(i+1)*n], rest, buf); err != nil {
			return err
		}
	}
	return nil
}

// readDense reads consecutive elements from offset on.
func (t *Tensor) readDense(dst []float32, offset int, buf []byte) error {
	size := t.DType.Size()
	for len(dst) > 0 {
		n := min(len(dst), len(buf)/size)
		b, inPlace := asBytes(dst[:n])
		if inPlace = inPlace && t.DType == tensor.Float32; !inPlace {
			b = buf[:n*size]
		}
		if err := t.readAt(b, offset); err != nil {
			return err
		}
		if !inPlace {
			widen(dst[:n], b, t.DType)
		}
		dst, offset = dst[n:], offset+n
	}
	return nil
}

// gather reads everything between the first and the last element of v at once
// and picks the elements out.
func (t *Tensor) gather(dst []float32, v tensor.View, buf []byte) error {
	size := v.DType.Size()
	b := buf[:v.Span()*size]
	if err := t.readAt(b, v.Offset); err != nil {
		return err
	}
	index := make([]int, len(v.Shape))
	for i := range dst {
		at := 0
		for d, j := range index {
			at += j * v.Strides[d]
		}
		widen(dst[i:i+1], b[at*size:(at+1)*size], v.DType)
		for d := len(index) - 1; d >= 0; d-- {
			if index[d]++; index[d] < v.Shape[d] {
				break
			}
			index[d] = 0
		}
	}
	return nil
}

// readApart reads elements of one dimension that lie far apart one by one.
func (t *Tensor) readApart(dst []float32, v tensor.View, buf []byte) error {
	for i := range dst {
		if err := t.readDense(dst[i:i+1], v.Offset+i*v.Strides[0], buf); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tensor) readAt(b []byte, offset int) error {
	data, err := t.storage.open()
	if err != nil {
		return err
	}
	if n, err := data.ReadAt(b, int64(offset)*int64(t.DType.Size())); n < len(b) {
		return fmt.Errorf("storage %q: %w", t.storage.key, err)
	}
	return nil
}

// widen converts little-endian elements to float32.
func widen(dst []float32, b []byte, dtype tensor.DType) {
	le := binary.LittleEndian
	b = b[:len(dst)*dtype.Size()]
	switch dtype {
	case tensor.Float32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(b[4*i:]))
		}
	case tensor.Float64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	case tensor.Float16:
		for i := range dst {
			dst[i] = float16(le.Uint16(b[2*i:]))
		}
	case tensor.BFloat16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(b[2*i:])) << 16)
		}
	case tensor.Int8:
		for i := range dst {
			dst[i] = float32(int8(b[i]))
		}
	case tensor.Int16:
		for i := range dst {
			dst[i] = float32(int16(le.Uint16(b[2*i:])))
		}
	case tensor.Int32:
		for i := range dst {
			dst[i] = float32(int32(le.Uint32(b[4*i:])))
		}
	case tensor.Int64:
		for i := range dst {
			dst[i] = float32(int64(le.Uint64(b[8*i:])))
		}
	case tensor.Uint8:
		for i := range dst {
			dst[i] = float32(b[i])
		}
	case tensor.Bool:
		for i := range dst {
			dst[i] = 0
			if b[i] != 0 {
				dst[i] = 1
			}
		}
	}
}

// float16 widens an IEEE 754 half.
func float16(h uint16) float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0: // zero or subnormal: frac * 2^-24
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(v))
	case 31: // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
