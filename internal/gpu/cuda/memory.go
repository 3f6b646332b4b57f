//go:build cgo && unix

package cuda

/*
#include "driver.h"
*/
import "C"

import "unsafe"

// Ptr is an address of device memory; 0 is none.
type Ptr uint64

// minAllocation is the smallest number of bytes that is allocated: also an empty
// tensor has an address.
const minAllocation = 256

// Alloc allocates device memory of a size in bytes. Its address is a multiple of
// 256.
func (d *Device) Alloc(size int64) (Ptr, error) {
	var p C.rg_devptr
	err := d.check("cuMemAlloc", C.rg_mem_alloc(&d.lib, &p, C.size_t(max(size, minAllocation))))
	if err == nil {
		d.allocated[Ptr(p)] = size
	}
	return Ptr(p), err
}

// Free frees device memory and sets p to 0. For 0, and on a lost device, the
// driver is not called.
func (d *Device) Free(p *Ptr) {
	if *p != 0 && d.lost == nil {
		// A failure here shows in the next call.
		_ = d.check("cuMemFree", C.rg_mem_free(&d.lib, C.rg_devptr(*p)))
	}
	delete(d.allocated, *p)
	*p = 0
}

// Allocated is the number of bytes of device memory that are allocated.
func (d *Device) Allocated() int64 {
	total := int64(0)
	for _, size := range d.allocated {
		total += size
	}
	return total
}

// Size is the number of bytes of an allocation.
func (d *Device) Size(p Ptr) int64 { return d.allocated[p] }

// Memory is how many bytes of the device's memory are free, and how many there
// are.
func (d *Device) Memory() (free, total int64, err error) {
	var f, t C.size_t
	err = d.check("cuMemGetInfo", C.rg_mem_info(&d.lib, &f, &t))
	return int64(f), int64(t), err
}

// Pinned is page-locked host memory: the device copies to and from it while the
// host does other work. A nil *Pinned is empty.
type Pinned struct {
	d    *Device
	p    unsafe.Pointer
	size int64
}

// Pin allocates page-locked host memory of a size in bytes.
func (d *Device) Pin(size int64) (*Pinned, error) {
	m := &Pinned{d: d, size: size}
	if err := d.check("cuMemHostAlloc", C.rg_host_alloc(&d.lib, &m.p, C.size_t(max(size, 1)))); err != nil {
		return nil, err
	}
	return m, nil
}

// Free frees the memory. A second call does nothing.
func (m *Pinned) Free() {
	if m == nil {
		return
	}
	if m.p != nil && m.d.lost == nil {
		_ = m.d.check("cuMemFreeHost", C.rg_host_free(&m.d.lib, m.p)) // see Device.Free
	}
	m.p, m.size = nil, 0
}

// Size is the number of bytes.
func (m *Pinned) Size() int64 {
	if m == nil {
		return 0
	}
	return m.size
}

// Floats are the first n values of the memory. They must not be used after Free.
func (m *Pinned) Floats(n int) []float32 { return unsafe.Slice((*float32)(m.p), n) }

// Bytes are the first n bytes of the memory. They must not be used after Free.
func (m *Pinned) Bytes(n int) []byte { return unsafe.Slice((*byte)(m.p), n) }
