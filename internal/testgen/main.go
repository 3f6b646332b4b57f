// Command testgen writes a training checkpoint for any config, for tests with
// checkpoints that are too large to ship. The weights are random with a fixed seed.
// As in a file from mmcv's runner, each has SGD's momentum. B3's checkpoint takes
// about 1 GB.
//
//	go run ./internal/testgen repvgg-B3 /tmp/b3.pth
package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"repvgg/internal/model"
	"repvgg/internal/recipe"
	"repvgg/internal/tensor"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: testgen CFG DST")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "testgen:", err)
		os.Exit(1)
	}
}

func run(cfgName, path string) error {
	r, err := recipe.Load(cfgName, nil)
	if err != nil {
		return err
	}
	plan := r.Network
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	if err := write(out, plan.As(model.Train).Tensors()); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// write writes the zip file: the structure, then the storages of the weights, then
// those of the momentum.
func write(out io.Writer, specs []tensor.Spec) error {
	z := zip.NewWriter(out)
	create := func(name string) (io.Writer, error) {
		return z.CreateHeader(&zip.FileHeader{Name: "checkpoint/" + name, Method: zip.Store})
	}
	e, err := create("data.pkl")
	if err != nil {
		return err
	}
	if _, err := e.Write(structure(specs)); err != nil {
		return err
	}
	random := generator(1)
	for i := range 2 * len(specs) {
		spec := specs[i%len(specs)]
		if e, err = create("data/" + strconv.Itoa(i)); err != nil {
			return err
		}
		if err := random.fill(e, spec); err != nil {
			return err
		}
	}
	if e, err = create("version"); err != nil {
		return err
	}
	if _, err := io.WriteString(e, "3\n"); err != nil {
		return err
	}
	return z.Close()
}

// structure pickles {"state_dict": {name: tensor}, "optimizer": {"state": {i:
// {"momentum_buffer": tensor}}, "param_groups": []}}.
func structure(specs []tensor.Spec) []byte {
	var p bytes.Buffer
	p.WriteString("\x80\x02}(")
	str(&p, "state_dict")
	p.WriteString("}(")
	for i, s := range specs {
		str(&p, s.Name)
		tensorAt(&p, i, s)
	}
	p.WriteString("u")
	str(&p, "optimizer")
	p.WriteString("}(")
	str(&p, "state")
	p.WriteString("}(")
	for i, s := range specs {
		number(&p, i)
		p.WriteString("}")
		str(&p, "momentum_buffer")
		tensorAt(&p, len(specs)+i, s)
		p.WriteString("s")
	}
	p.WriteString("u")
	str(&p, "param_groups")
	p.WriteString("]uu.")
	return p.Bytes()
}

func str(p *bytes.Buffer, s string) {
	p.WriteByte('X')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
}

func number(p *bytes.Buffer, n int) {
	p.WriteByte('J')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
}

func tensorAt(p *bytes.Buffer, storage int, s tensor.Spec) {
	p.WriteString("ctorch._utils\n_rebuild_tensor_v2\n((")
	str(p, "storage")
	p.WriteString("ctorch\nFloatStorage\n")
	str(p, strconv.Itoa(storage))
	str(p, "cpu")
	number(p, s.Numel())
	p.WriteString("tQ")
	number(p, 0)
	p.WriteByte('(')
	for _, d := range s.Shape {
		number(p, d)
	}
	p.WriteString("t(")
	for i := range s.Shape {
		number(p, tensor.Numel(s.Shape[i+1:]))
	}
	p.WriteString("t\x89ccollections\nOrderedDict\n)RtR")
}

// generator is Marsaglia's xorshift64, which is fast and good enough for weights.
type generator uint64

// fill writes values with the magnitudes of a trained network: variances of about
// 1, convolutions with unit gain after ReLU, and normalization scales for which the
// sum of a block's branches keeps the magnitude of its input.
func (g *generator) fill(w io.Writer, s tensor.Spec) error {
	base, span := 0.0, 0.2
	switch {
	case strings.HasSuffix(s.Name, "norm.weight"):
		base, span = 0.6, 0.3
	case strings.HasSuffix(s.Name, "running_var"):
		base, span = 1, 0.5
	case len(s.Shape) > 1:
		span = math.Sqrt(6 / float64(tensor.Numel(s.Shape[1:])))
	}
	buf := make([]byte, 0, 64<<10)
	for n := s.Numel(); n > 0; n-- {
		*g ^= *g << 13
		*g ^= *g >> 7
		*g ^= *g << 17
		v := base + span*(float64(*g>>40)/(1<<23)-1)
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(float32(v)))
		if len(buf) == cap(buf) || n == 1 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}
