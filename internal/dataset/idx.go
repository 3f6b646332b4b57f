package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxIDX bounds the number of elements in an idx file. EMNIST's largest has 550
// million.
const maxIDX = 1 << 30

// idxBytes is the code of unsigned bytes, the only element type in MNIST.
const idxBytes = 8

// readIDX reads an array of unsigned bytes with the given number of axes in the idx
// format: two zero bytes, the element type, the number of axes, the length of each
// axis (big-endian, 32 bits), and the elements. (yann.lecun.com/exdb/mnist.) size
// is the number of bytes in r, or -1 if it is not known.
func readIDX(r io.Reader, axes int, size int64) (shape []int, data []byte, err error) {
	header := make([]byte, 4+4*axes)
	if err := readHeader(r, header[:4]); err != nil {
		return nil, nil, err
	}
	if header[0] != 0 || header[1] != 0 {
		return nil, nil, fmt.Errorf("it begins with % x: it is not an idx file", header[:4])
	}
	if header[2] != idxBytes || int(header[3]) != axes {
		return nil, nil, fmt.Errorf("it holds an array of %d axes and element type %d, want %d axes and type %d (unsigned bytes)",
			header[3], header[2], axes, idxBytes)
	}
	if err := readHeader(r, header[4:]); err != nil {
		return nil, nil, err
	}
	items := 1
	shape = make([]int, axes)
	for i := range shape {
		n := int(binary.BigEndian.Uint32(header[4+4*i:]))
		if n < 1 {
			return nil, nil, errors.New("its array is empty")
		}
		if items > maxIDX/n {
			return nil, nil, fmt.Errorf("its header gives a size of more than %d bytes: it is damaged", maxIDX)
		}
		shape[i] = n
		items *= n
	}
	if want := int64(len(header) + items); size >= 0 && size != want {
		return nil, nil, fmt.Errorf("it has %d bytes, but its header gives %d: it is truncated or damaged", size, want)
	}
	// The size is not known, so the buffer grows as bytes arrive.
	var b bytes.Buffer
	if size >= 0 {
		b.Grow(items + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(r, int64(items)+1))
	if err != nil {
		return nil, nil, err
	}
	if n != int64(items) {
		return nil, nil, fmt.Errorf("its array of shape %v does not end at the end of the file: it is truncated or damaged", shape)
	}
	return shape, b.Bytes(), nil
}

func readHeader(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends inside its header: it is truncated or not an idx file")
	}
	return err
}
