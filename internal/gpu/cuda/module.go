//go:build cgo && unix

package cuda

/*
#include <stdlib.h>
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Module is machine code with kernels on a device.
type Module struct {
	d       *Device
	handle  C.rg_object
	names   []string
	kernels []C.rg_object
}

// LoadModule loads machine code and looks its kernels up by name. Launch takes
// their indices in names.
func (d *Device) LoadModule(code []byte, names []string) (*Module, error) {
	m := &Module{d: d, names: names, kernels: make([]C.rg_object, len(names))}
	if err := d.check("cuModuleLoadData", C.rg_module_load(&d.lib, &m.handle, unsafe.Pointer(&code[0]))); err != nil {
		return nil, err
	}
	for i, name := range names {
		c := C.CString(name)
		err := d.check("cuModuleGetFunction", C.rg_module_function(&d.lib, &m.kernels[i], m.handle, c))
		C.free(unsafe.Pointer(c))
		if err != nil {
			m.Close()
			return nil, fmt.Errorf("finding kernel %q: %w", name, err)
		}
	}
	return m, nil
}

// Close unloads the code. A second call does nothing.
func (m *Module) Close() {
	if m.handle != nil && m.d.lost == nil {
		_ = m.d.check("cuModuleUnload", C.rg_module_unload(&m.d.lib, m.handle)) // see Device.Free
	}
	m.handle = nil
}

// maxArguments is how many arguments a kernel can have.
const maxArguments = C.RG_MAX_ARGUMENTS

// Launch queues a kernel. Arguments are Ptr for pointers, int for int, int64 for
// long long, and bool for int.
func (m *Module) Launch(s *Stream, kernel int, g Grid, arguments ...any) error {
	var values [maxArguments]C.ulonglong
	if len(arguments) > len(values) {
		return fmt.Errorf("launching %s: it has too many arguments", m.names[kernel])
	}
	for i, a := range arguments {
		switch a := a.(type) {
		case Ptr:
			values[i] = C.ulonglong(a)
		case int:
			values[i] = C.ulonglong(uint32(int32(a)))
		case int64:
			values[i] = C.ulonglong(a)
		case bool:
			if a {
				values[i] = 1
			}
		default:
			return fmt.Errorf("launching %s: argument %d is a %T", m.names[kernel], i, a)
		}
	}
	blocks, threads := [3]C.uint{}, [3]C.uint{}
	for i := range blocks {
		blocks[i], threads[i] = C.uint(g.Blocks[i]), C.uint(g.Threads[i])
	}
	err := m.d.check("cuLaunchKernel", C.rg_launch(&m.d.lib, m.kernels[kernel], &blocks[0], &threads[0], s.handle, &values[0], C.int(len(arguments))))
	if err != nil {
		return fmt.Errorf("launching %s: %w", m.names[kernel], err)
	}
	return nil
}
