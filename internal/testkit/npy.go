package testkit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"strings"

	"repvgg/internal/tensor"
)

var npyShape = regexp.MustCompile(`'descr': '<f4', 'fortran_order': False, 'shape': \(([0-9, ]*)\)`)

// ReadNPY reads a float32 array from a .npy file of version 1.0.
func ReadNPY(path string) (values []float32, shape []int, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	header := 10 + int(binary.LittleEndian.Uint16(data[8:]))
	m := npyShape.FindSubmatch(data[:header])
	if m == nil {
		return nil, nil, fmt.Errorf("reading %q: header %q", path, data[:header])
	}
	for _, d := range strings.FieldsFunc(string(m[1]), func(r rune) bool { return r == ',' || r == ' ' }) {
		var n int
		if _, err := fmt.Sscan(d, &n); err != nil {
			return nil, nil, fmt.Errorf("reading %q: %w", path, err)
		}
		shape = append(shape, n)
	}
	values = make([]float32, tensor.Numel(shape))
	if err := binary.Read(bytes.NewReader(data[header:]), binary.LittleEndian, values); err != nil {
		return nil, nil, fmt.Errorf("reading %q: %w", path, err)
	}
	return values, shape, nil
}
