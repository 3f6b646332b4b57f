//go:build cgo && unix

package gpu

import (
	"fmt"
	"strings"
	"sync"

	"repvgg/internal/gpu/cuda"
)

// compiled is the machine code that this process has compiled, by compiler and
// options: bench starts a runner for each row of its table.
var compiled sync.Map

// module is kernels.cu on the device.
type module struct{ *cuda.Module }

// loadModule compiles the kernels for a device.
func loadModule(d *cuda.Device, c *cuda.Compiler, p precision) (*module, error) {
	options := compileOptions(p, fmt.Sprint(d.Capability))
	key := c.Path() + " " + strings.Join(options, " ")
	code, ok := compiled.Load(key)
	if !ok {
		var err error
		if code, err = c.Compile(kernelSource, "kernels.cu", options); err != nil {
			return nil, err
		}
		compiled.Store(key, code)
	}
	m, err := d.LoadModule(code.([]byte), kernelNames[:])
	if err != nil {
		return nil, err
	}
	return &module{m}, nil
}

// launch queues a kernel; see cuda.Module.Launch for the arguments.
func (m *module) launch(s *cuda.Stream, k kernel, g cuda.Grid, arguments ...any) error {
	return m.Launch(s, int(k), g, arguments...)
}

// linear queues y = act(w x + b) for n vectors x.
func (m *module) linear(s *cuda.Stream, y, x cuda.Ptr, layer deviceConv, n, rows, columns, activation int) error {
	k, g := linearOf(n, rows)
	return m.launch(s, k, g, y, x, layer.weight, layer.bias, n, rows, columns, activation)
}
