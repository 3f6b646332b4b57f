//go:build cgo && unix

package cuda

/*
#include "cudnn.h"
*/
import "C"

import (
	"fmt"
	"slices"
	"unsafe"
)

// descriptors are descriptors of cuDNN's graph interface that are made and
// destroyed together. The first failure is kept in err; after it the methods do
// nothing.
type descriptors struct {
	c    *CUDNN
	made []unsafe.Pointer
	err  error
}

// destroy destroys them, the last first.
func (b *descriptors) destroy() {
	for _, d := range slices.Backward(b.made) {
		_ = b.c.check("cudnnBackendDestroyDescriptor", C.rg_backend_destroy(&b.c.lib, d)) // see Device.Free
	}
	b.made = nil
}

func (b *descriptors) create(kind C.int) unsafe.Pointer {
	if b.err != nil {
		return nil
	}
	var d unsafe.Pointer
	if b.err = b.c.check("cudnnBackendCreateDescriptor", C.rg_backend_create(&b.c.lib, kind, &d)); b.err == nil {
		b.made = append(b.made, d)
	}
	return d
}

func (b *descriptors) finalize(d unsafe.Pointer) {
	if b.err == nil {
		b.err = b.c.check("cudnnBackendFinalize", C.rg_backend_finalize(&b.c.lib, d))
	}
}

// set sets an attribute of d to n values of a kind.
func (b *descriptors) set(d unsafe.Pointer, name, kind C.int, n int, values unsafe.Pointer) {
	if b.err != nil {
		return
	}
	if err := b.c.check("cudnnBackendSetAttribute", C.rg_backend_set(&b.c.lib, d, name, kind, C.int64_t(n), values)); err != nil {
		b.err = fmt.Errorf("attribute %d: %w", name, err)
	}
}

func (b *descriptors) setInts(d unsafe.Pointer, name C.int, values ...int64) {
	b.set(d, name, C.RG_TYPE_INT64, len(values), unsafe.Pointer(&values[0]))
}

func (b *descriptors) setEnum(d unsafe.Pointer, name, kind, value C.int) {
	b.set(d, name, kind, 1, unsafe.Pointer(&value))
}

func (b *descriptors) setFloat(d unsafe.Pointer, name C.int, value C.float) {
	b.set(d, name, C.RG_TYPE_FLOAT, 1, unsafe.Pointer(&value))
}

func (b *descriptors) setDescriptors(d unsafe.Pointer, name C.int, values ...unsafe.Pointer) {
	b.set(d, name, C.RG_TYPE_DESCRIPTOR, len(values), unsafe.Pointer(&values[0]))
}

func (b *descriptors) setHandle(d unsafe.Pointer, name C.int) {
	handle := b.c.handle // a copy: cgo lets C see only memory without Go pointers
	b.set(d, name, C.RG_TYPE_HANDLE, 1, unsafe.Pointer(&handle))
}

// get reads up to room values of an attribute and returns how many it read.
func (b *descriptors) get(d unsafe.Pointer, name, kind C.int, room int, values unsafe.Pointer) int {
	return min(b.query(d, name, kind, room, values), room)
}

// count is the number of values of an attribute.
func (b *descriptors) count(d unsafe.Pointer, name, kind C.int) int {
	return b.query(d, name, kind, 0, nil)
}

func (b *descriptors) query(d unsafe.Pointer, name, kind C.int, room int, values unsafe.Pointer) int {
	if b.err != nil {
		return 0
	}
	var n C.int64_t
	if err := b.c.check("cudnnBackendGetAttribute", C.rg_backend_get(&b.c.lib, d, name, kind, C.int64_t(room), &n, values)); err != nil {
		b.err = fmt.Errorf("attribute %d: %w", name, err)
	}
	return int(n)
}

// tensor describes a dense tensor N, H, W, C. cuDNN wants its dimensions in the
// order N, C, H, W, with strides. A virtual tensor is never in memory.
func (b *descriptors) tensor(uid int64, kind C.int, n, c, h, w int, virtual bool) unsafe.Pointer {
	d := b.create(C.RG_TENSOR)
	size := func(v int) int64 { return int64(v) }
	b.setEnum(d, C.RG_TENSOR_DATA_TYPE, C.RG_TYPE_DATA_TYPE, kind)
	b.setInts(d, C.RG_TENSOR_DIMENSIONS, size(n), size(c), size(h), size(w))
	b.setInts(d, C.RG_TENSOR_STRIDES, size(h)*size(w)*size(c), 1, size(w)*size(c), size(c))
	b.setInts(d, C.RG_TENSOR_UNIQUE_ID, uid)
	b.setInts(d, C.RG_TENSOR_BYTE_ALIGNMENT, TensorAlignment)
	flag := C.uchar(0)
	if virtual {
		flag = 1
	}
	b.set(d, C.RG_TENSOR_IS_VIRTUAL, C.RG_TYPE_BOOLEAN, 1, unsafe.Pointer(&flag))
	b.finalize(d)
	return d
}
