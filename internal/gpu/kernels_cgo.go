//go:build cgo && unix

package gpu

/*
#include <stdlib.h>
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"
)

// compiled is the machine code that this process has made, by compiler and
// options: bench starts a runner for each of its rows.
var compiled sync.Map

// module is kernels.cu on the device.
type module struct {
	d       *device
	module  object
	kernels [kernels]object
}

// loadModule compiles the kernels for a device.
func loadModule(d *device, c *compiler, p precision) (*module, error) {
	options := compileOptions(p, fmt.Sprint(d.capability))
	key := c.path + " " + strings.Join(options, " ")
	made, ok := compiled.Load(key)
	if !ok {
		var err error
		if made, err = c.compile(kernelSource, options); err != nil {
			return nil, err
		}
		compiled.Store(key, made)
	}
	code := made.([]byte)
	m := &module{d: d}
	if err := d.check("cuModuleLoadData", C.rg_module_load(&d.d, &m.module, unsafe.Pointer(&code[0]))); err != nil {
		return nil, err
	}
	for i, name := range kernelNames {
		c := C.CString(name)
		err := d.check("cuModuleGetFunction", C.rg_module_function(&d.d, &m.kernels[i], m.module, c))
		C.free(unsafe.Pointer(c))
		if err != nil {
			m.close()
			return nil, fmt.Errorf("finding kernel %q: %w", name, err)
		}
	}
	return m, nil
}

func (m *module) close() {
	if m.module != nil && m.d.lost == nil {
		_ = m.d.check("cuModuleUnload", C.rg_module_unload(&m.d.d, m.module)) // as in device.free
	}
	m.module = nil
}

// launch starts a kernel. Arguments are devptr, int, int64 or bool, as the
// kernel has pointers, int, index_t or int.
func (m *module) launch(k kernel, g grid, stream object, arguments ...any) error {
	var values [C.RG_MAX_ARGUMENTS]C.ulonglong
	if len(arguments) > len(values) {
		return fmt.Errorf("launching %s: it has too many arguments", kernelNames[k])
	}
	for i, a := range arguments {
		switch a := a.(type) {
		case devptr:
			values[i] = a
		case int:
			values[i] = C.ulonglong(uint32(int32(a)))
		case int64:
			values[i] = C.ulonglong(a)
		case bool:
			if a {
				values[i] = 1
			}
		default:
			return fmt.Errorf("launching %s: argument %d is a %T", kernelNames[k], i, a)
		}
	}
	blocks, threads := [3]C.uint{}, [3]C.uint{}
	for i := range blocks {
		blocks[i], threads[i] = C.uint(g.blocks[i]), C.uint(g.threads[i])
	}
	err := m.d.check("cuLaunchKernel", C.rg_launch(&m.d.d, m.kernels[k], &blocks[0], &threads[0], stream, &values[0], C.int(len(arguments))))
	if err != nil {
		return fmt.Errorf("launching %s: %w", kernelNames[k], err)
	}
	return nil
}

// linear puts y = act(w x + b) for n vectors into a stream.
func (m *module) linear(stream object, y, x devptr, layer deviceConv, n, rows, columns, activation int) error {
	k, g := linearOf(n, rows)
	return m.launch(k, g, stream, y, x, layer.weight, layer.bias, n, rows, columns, activation)
}
