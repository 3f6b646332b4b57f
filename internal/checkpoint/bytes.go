package checkpoint

import (
	"encoding/binary"
	"unsafe"
)

// littleEndian tells whether memory holds a float32 as the file does.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// asBytes gives the memory of float32 values as bytes, where that is what
// stands in the file; ok is false on a big-endian machine. Converting the half
// gigabyte of a large network value by value took a third of the time of
// reparameterize.
func asBytes(values []float32) (b []byte, ok bool) {
	if !littleEndian || len(values) == 0 {
		return nil, littleEndian
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), 4*len(values)), true
}
