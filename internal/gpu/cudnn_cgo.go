//go:build cgo && unix

package gpu

/*
#include <stdlib.h>
#include "cudnn.h"
*/
import "C"

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// cudnn is the library with a handle for one stream. It is for one goroutine at a
// time.
type cudnn struct {
	c       C.struct_rg_cudnn
	path    string
	version uint64
	handle  unsafe.Pointer
	others  []*cudnn // see builders
}

// openCUDNN finds cuDNN. What its engines need should be there already (preload).
func openCUDNN(env environment) (*cudnn, error) {
	c := new(cudnn)
	var err error
	c.path, err = load(&cudnnLibrary, env, func(name, msg *C.char) C.int { return C.rg_cudnn_open(name, &c.c, msg) })
	if err != nil {
		return nil, fmt.Errorf("cuDNN 9 was not found (%w); pip install nvidia-cudnn-cu13 (or -cu12), or set %s to the file or its folder", err, cudnnVariable)
	}
	c.version = uint64(C.rg_cudnn_version(&c.c))
	if c.version < 90000 {
		return nil, fmt.Errorf("%q is cuDNN %s; want cuDNN 9: set %s to the file or its folder", c.path, cudnnVersion(c.version), cudnnVariable)
	}
	return c, nil
}

// start makes the handle for a stream. The device's context is current.
func (c *cudnn) start(stream object) error {
	if err := c.check("cudnnCreate", C.rg_cudnn_create(&c.c, &c.handle)); err != nil {
		return fmt.Errorf("starting cuDNN %s: %w", cudnnVersion(c.version), err)
	}
	return c.check("cudnnSetStream", C.rg_cudnn_set_stream(&c.c, c.handle, unsafe.Pointer(stream)))
}

// builders are c and up to n-1 others with handles of their own, for as many
// goroutines. They end with c.
func (c *cudnn) builders(n int, stream object) []*cudnn {
	for len(c.others) < n-1 {
		other := &cudnn{c: c.c, path: c.path, version: c.version}
		if err := other.start(stream); err != nil {
			other.close(false)
			break // fewer do
		}
		c.others = append(c.others, other)
	}
	return append([]*cudnn{c}, c.others[:min(len(c.others), n-1)]...)
}

// close ends the handle; lost says that the device is gone.
func (c *cudnn) close(lost bool) {
	for _, other := range c.others {
		other.close(lost)
	}
	c.others = nil
	if c.handle != nil && !lost {
		_ = c.check("cudnnDestroy", C.rg_cudnn_destroy(&c.c, c.handle)) // as in device.free
	}
	c.handle = nil
}

// check makes an error of a status, with what cuDNN says of it.
func (c *cudnn) check(call string, code C.int) error {
	return status(libCUDNN, call, int(code), func(code int) string {
		text := C.GoString(C.rg_cudnn_error(&c.c, C.int(code)))
		var msg message
		C.rg_cudnn_last_error(&c.c, msg.c(), C.RG_MESSAGE)
		if detail := strings.Join(strings.Fields(msg.String()), " "); detail != "" {
			text += ": " + detail
		}
		return text
	})
}

// descriptors are those of cuDNN's graph interface that are made together. The
// first failure is kept in err, and everything after it does nothing.
type descriptors struct {
	c    *cudnn
	made []unsafe.Pointer
	err  error
}

// destroy ends them, the last first.
func (b *descriptors) destroy() {
	for _, d := range slices.Backward(b.made) {
		_ = b.c.check("cudnnBackendDestroyDescriptor", C.rg_backend_destroy(&b.c.c, d)) // as in device.free
	}
	b.made = nil
}

func (b *descriptors) create(kind C.int) unsafe.Pointer {
	if b.err != nil {
		return nil
	}
	var d unsafe.Pointer
	if b.err = b.c.check("cudnnBackendCreateDescriptor", C.rg_backend_create(&b.c.c, kind, &d)); b.err == nil {
		b.made = append(b.made, d)
	}
	return d
}

func (b *descriptors) set(d unsafe.Pointer, name, kind C.int, n int, values unsafe.Pointer) {
	if b.err != nil {
		return
	}
	if err := b.c.check("cudnnBackendSetAttribute", C.rg_backend_set(&b.c.c, d, name, kind, C.int64_t(n), values)); err != nil {
		b.err = fmt.Errorf("attribute %d: %w", name, err)
	}
}

func (b *descriptors) ints(d unsafe.Pointer, name C.int, values ...int64) {
	b.set(d, name, C.RG_TYPE_INT64, len(values), unsafe.Pointer(&values[0]))
}

func (b *descriptors) enum(d unsafe.Pointer, name, kind, value C.int) {
	b.set(d, name, kind, 1, unsafe.Pointer(&value))
}

func (b *descriptors) float(d unsafe.Pointer, name C.int, value C.float) {
	b.set(d, name, C.RG_TYPE_FLOAT, 1, unsafe.Pointer(&value))
}

func (b *descriptors) descriptors(d unsafe.Pointer, name C.int, values ...unsafe.Pointer) {
	b.set(d, name, C.RG_TYPE_DESCRIPTOR, len(values), unsafe.Pointer(&values[0]))
}

func (b *descriptors) handle(d unsafe.Pointer, name C.int) {
	handle := b.c.handle // C may only see memory without pointers to Go's
	b.set(d, name, C.RG_TYPE_HANDLE, 1, unsafe.Pointer(&handle))
}

func (b *descriptors) finalize(d unsafe.Pointer) {
	if b.err == nil {
		b.err = b.c.check("cudnnBackendFinalize", C.rg_backend_finalize(&b.c.c, d))
	}
}

// get reads up to room values and returns how many there are.
func (b *descriptors) get(d unsafe.Pointer, name, kind C.int, room int, values unsafe.Pointer) int {
	if b.err != nil {
		return 0
	}
	var n C.int64_t
	if err := b.c.check("cudnnBackendGetAttribute", C.rg_backend_get(&b.c.c, d, name, kind, C.int64_t(room), &n, values)); err != nil {
		b.err = fmt.Errorf("attribute %d: %w", name, err)
	}
	return min(int(n), room)
}

// count is how many values an attribute has.
func (b *descriptors) count(d unsafe.Pointer, name, kind C.int) int {
	if b.err != nil {
		return 0
	}
	var n C.int64_t
	if err := b.c.check("cudnnBackendGetAttribute", C.rg_backend_get(&b.c.c, d, name, kind, 0, &n, nil)); err != nil {
		b.err = fmt.Errorf("attribute %d: %w", name, err)
	}
	return int(n)
}

// tensor is one of N, H, W, C, as cuDNN numbers its dimensions: N, C, H, W with
// strides.
func (b *descriptors) tensor(uid int64, kind C.int, n, c, h, w int, virtual bool) unsafe.Pointer {
	d := b.create(C.RG_TENSOR)
	size := func(v int) int64 { return int64(v) }
	b.enum(d, C.RG_TENSOR_DATA_TYPE, C.RG_TYPE_DATA_TYPE, kind)
	b.ints(d, C.RG_TENSOR_DIMENSIONS, size(n), size(c), size(h), size(w))
	b.ints(d, C.RG_TENSOR_STRIDES, size(h)*size(w)*size(c), 1, size(w)*size(c), size(c))
	b.ints(d, C.RG_TENSOR_UNIQUE_ID, uid)
	b.ints(d, C.RG_TENSOR_BYTE_ALIGNMENT, rowAlignment)
	flag := C.uchar(0)
	if virtual {
		flag = 1
	}
	b.set(d, C.RG_TENSOR_IS_VIRTUAL, C.RG_TYPE_BOOLEAN, 1, unsafe.Pointer(&flag))
	b.finalize(d)
	return d
}

// dataType is the precision's of maps.
func dataType(p precision) C.int {
	switch p {
	case fp16:
		return C.RG_HALF
	case bf16:
		return C.RG_BFLOAT16
	}
	return C.RG_FLOAT
}
