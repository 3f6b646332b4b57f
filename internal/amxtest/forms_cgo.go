//go:build cgo && linux && amd64

package amxtest

/*
#include <stdlib.h>

#include "forms.h"
*/
import "C"

import "unsafe"

// What stands here is for this package's tests, which cannot use cgo themselves.

type outcome int

const (
	foreign   = outcome(C.AMX_FOREIGN)
	done      = outcome(C.AMX_DONE)
	undefined = outcome(C.AMX_UNDEFINED)
	protected = outcome(C.AMX_PROTECTED)
)

// operand is an instruction as the emulator sees it.
type operand struct {
	operation, length int
	tiles             [3]int
	address           uint64
	stride            int64
}

// form is an instruction as the system's assembler encodes it. Registers that
// are not there are -1; the base 16 is RIP.
type form struct {
	code              []byte
	operation         int
	tiles             [3]int
	base, index       int
	scale, displacing int64
}

func forms() []form {
	first, end := &C.amx_forms, &C.amx_forms_end
	n := (uintptr(unsafe.Pointer(end)) - uintptr(unsafe.Pointer(first))) / unsafe.Sizeof(C.struct_amx_form{})
	var all []form
	for _, c := range unsafe.Slice((*C.struct_amx_form)(unsafe.Pointer(first)), n) {
		f := form{code: unsafe.Slice((*byte)(c.code), c.length), operation: int(c.operation), base: int(c.base), index: int(c.index),
			scale: int64(c.scale), displacing: int64(c.displacement)}
		for i, t := range c.tiles {
			f.tiles[i] = int(t)
		}
		all = append(all, f)
	}
	return all
}

func decode(code []byte, registers *[17]uint64) (operand, outcome) {
	var in C.struct_amx_instruction
	o := outcome(C.amx_decode((*C.uint8_t)(&code[0]), (*C.uint64_t)(&registers[0]), &in))
	out := operand{operation: int(in.operation), length: int(in.length), address: uint64(in.address), stride: int64(in.stride)}
	for i, t := range in.tiles {
		out.tiles[i] = int(t)
	}
	return out, o
}

// machine is the state of one thread, for executing instructions one by one.
type machine struct{ state C.struct_amx_state }

func (m *machine) execute(operation int, memory *[64]byte, tiles ...int) outcome {
	in := C.struct_amx_instruction{operation: uint32(operation)}
	for i, t := range tiles {
		in.tiles[i] = C.int(t)
	}
	var block *C.uint8_t
	if memory != nil {
		block = (*C.uint8_t)(C.CBytes(memory[:]))
		defer C.free(unsafe.Pointer(block))
		in.address = C.uint64_t(uintptr(unsafe.Pointer(block)))
	}
	o := outcome(C.amx_execute(&m.state, &in))
	if memory != nil {
		copy(memory[:], unsafe.Slice((*byte)(block), len(memory)))
	}
	return o
}

// runProduct adds a*b to c, which are rows of 64 bytes; it returns MXCSR before
// and after.
func runProduct(variant int, configuration *[64]byte, a, b []uint16, c []float32, stored *[64]byte) (before, after uint32) {
	status := C.amx_run_product(C.int(variant), unsafe.Pointer(configuration), unsafe.Pointer(&a[0]), 64,
		unsafe.Pointer(&b[0]), 64, unsafe.Pointer(&c[0]), 64, unsafe.Pointer(stored))
	return uint32(status), uint32(status >> 32)
}

// runCopy loads tile 3 from rows that lie stride bytes apart and stores it to the
// first half of to, and zeros to the second.
func runCopy(configuration *[64]byte, from []byte, stride int, to *[4096]byte) {
	C.amx_run_copy(unsafe.Pointer(configuration), unsafe.Pointer(&from[0]), C.int64_t(stride), unsafe.Pointer(to))
}

func runUnconfigured() { C.amx_run_unconfigured() }
func runUD2()          { C.amx_run_ud2() }
