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
	// fault, unless nil, is why its values can't be read.
	fault error
}

// Check finds the tensor's storage and checks that the view lies inside it. It
// reads no values.
func (t *Tensor) Check() error {
	if t.fault != nil {
		return t.wrap(t.fault)
	}
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

// Size implements pickle.Sized.
func (t *Tensor) Size() int { return 200 + 16*len(t.Shape) }

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
	return values, t.ReadRows(values, 0, t.rows().Shape[0], new([]byte))
}

// rows is the view with at least one dimension: a scalar is one row.
func (t *Tensor) rows() tensor.View {
	if len(t.Shape) > 0 {
		return t.View
	}
	return tensor.View{DType: t.DType, Offset: t.Offset, Shape: []int{1}, Strides: []int{1}}
}

// ReadRows reads the part [from, to) of the first dimension into dst, dense and
// row-major; a scalar is one row. Float16 and bfloat16 widen exactly, float64 and
// integers round to nearest even, as PyTorch's copy to a float32 parameter does.
// buf is scratch that grows to a bounded size; calls that share it must not
// overlap.
//
// What was read is only known to be intact after File.Verify.
func (t *Tensor) ReadRows(dst []float32, from, to int, buf *[]byte) error {
	if err := t.Check(); err != nil {
		return err
	}
	all := t.rows()
	if from < 0 || to < from || to > all.Shape[0] {
		return t.wrap(fmt.Errorf("rows %d to %d of shape %s", from, to, tensor.FormatShape(t.Shape)))
	}
	v := all.Rows(from, to)
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
	}
	g := gatherer{t: t, dst: dst, buf: buf}
	return g.read(0, v.Offset, axesOf(v))
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
