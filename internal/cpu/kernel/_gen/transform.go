package main

import (
	"fmt"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"repvgg/internal/cpu/winograd"
)

const (
	inputSignature = "func(src *float32, srcRow, srcBlock, srcTile int, dst *byte, dstProduct, dstTile int, " +
		"scratch *float32, blocks, tiles int)"
	outputSignature = "func(src *float32, srcProduct, srcTile int, dst *float32, dstRow, dstBlock, dstTile int, " +
		"bias, scratch *float32, blocks, tiles, rows, cols, relu int)"
)

// arithmetic emits the operations of a transform. A first, dry pass emits
// nothing and finds the factors that must be in registers before the loops.
type arithmetic struct {
	isa
	dry     bool
	factors []float32
	ops     map[float32]Op
}

// prepare runs f dry and makes the factors that it uses ready: in registers, or
// as memory operands.
func prepare(a isa, name string, f func(c *arithmetic)) *arithmetic {
	c := &arithmetic{isa: a, dry: true, ops: map[float32]Op{}}
	f(c)
	c.dry = false
	if len(c.factors) == 0 {
		return c
	}
	data := GLOBL(name, RODATA|NOPTR)
	size := a.bytes()
	if a.constants {
		size = float
	}
	for i, v := range c.factors {
		for j := 0; j < size; j += float {
			DATA(i*size+j, F32(v))
		}
		at := data.Offset(i * size)
		c.ops[v] = at
		if a.constants {
			r := a.vector()
			VBROADCASTSS(at, r)
			c.ops[v] = r
		}
	}
	return c
}

func (c *arithmetic) factor(f float64) Op {
	v := float32(math.Abs(f))
	if !slices.Contains(c.factors, v) {
		c.factors = append(c.factors, v)
	}
	return c.ops[v]
}

func (c *arithmetic) new() reg.VecVirtual {
	if c.dry {
		return nil
	}
	return c.vector()
}

func (c *arithmetic) add(x, y, to reg.VecVirtual) {
	if !c.dry {
		VADDPS(y, x, to)
	}
}

// subtract gives x - y.
func (c *arithmetic) subtract(x, y, to reg.VecVirtual) {
	if !c.dry {
		VSUBPS(y, x, to)
	}
}

func (c *arithmetic) move(x, to reg.VecVirtual) {
	if !c.dry {
		VMOVAPS(x, to)
	}
}

// addProduct adds f*x to sum.
func (c *arithmetic) addProduct(f float64, x, sum reg.VecVirtual) {
	op := c.factor(f)
	switch {
	case c.dry:
	case f > 0:
		VFMADD231PS(op, x, sum)
	default:
		VFNMADD231PS(op, x, sum)
	}
}

// scaled is f*x; f is positive.
func (c *arithmetic) scaled(f float64, x reg.VecVirtual) reg.VecVirtual {
	if f == 1 {
		return x
	}
	op, y := c.factor(f), c.new()
	if !c.dry {
		VMULPS(op, x, y)
	}
	return y
}

// term is a factor of a value.
type term struct {
	factor float64
	value  reg.VecVirtual
}

// sum emits the sum of terms. A leading coefficient that is not 1 is left out
// and returned: the caller's next multiplication takes it.
func (c *arithmetic) sum(terms []term) (value reg.VecVirtual, factor float64) {
	lead := max(0, slices.IndexFunc(terms, func(t term) bool { return t.factor == 1 }))
	value, factor = terms[lead].value, terms[lead].factor
	first := true
	for i, t := range terms {
		if i == lead {
			continue
		}
		next := value
		if first {
			next = c.new()
		}
		switch f := t.factor / factor; f {
		case 1:
			c.add(value, t.value, next)
		case -1:
			c.subtract(value, t.value, next)
		default:
			if first {
				c.move(value, next)
			}
			c.addProduct(f, t.value, next)
		}
		value, first = next, false
	}
	return value, factor
}

// rowPairs emits BT x. The rows for points p and -p are e+o and e-o, with e of
// the terms that they share and o of those that differ in sign.
func (c *arithmetic) rowPairs(matrix [][]float64, x []reg.VecVirtual) []reg.VecVirtual {
	out := make([]reg.VecVirtual, len(matrix))
	for i := 0; i < len(matrix); i++ {
		paired := i+1 < len(matrix) && mirrored(matrix[i], matrix[i+1])
		var same, opposite []term
		for k, f := range matrix[i] {
			switch {
			case f == 0:
			case paired && f != matrix[i+1][k]:
				opposite = append(opposite, term{f, x[k]})
			default:
				same = append(same, term{f, x[k]})
			}
		}
		e, fe := c.sum(same)
		if !paired {
			out[i] = c.scaled(fe, e)
			continue
		}
		o, fo := c.sum(opposite)
		if fe != 1 {
			panic("the rows' polynomials are monic")
		}
		out[i], out[i+1] = c.new(), c.new()
		if fo == 1 {
			c.add(e, o, out[i])
			c.subtract(e, o, out[i+1])
		} else {
			c.move(e, out[i])
			c.move(e, out[i+1])
			c.addProduct(fo, o, out[i])
			c.addProduct(-fo, o, out[i+1])
		}
		i++
	}
	return out
}

// columnPairs calls store with the rows of AT x: of the values at points p and
// -p, only sum and difference are needed.
func (c *arithmetic) columnPairs(matrix [][]float64, x []reg.VecVirtual, store func(row int, v reg.VecVirtual)) {
	sums, differences := map[int]reg.VecVirtual{}, map[int]reg.VecVirtual{}
	for j := range len(x) - 1 {
		if _, ok := sums[j-1]; !ok && mirrored(column(matrix, j), column(matrix, j+1)) {
			sums[j], differences[j] = c.new(), c.new()
			c.add(x[j], x[j+1], sums[j])
			c.subtract(x[j], x[j+1], differences[j])
		}
	}
	for i, row := range matrix {
		var terms []term
		for j := 0; j < len(row); j++ {
			s, paired := sums[j]
			if row[j] != 0 {
				switch {
				case !paired:
					terms = append(terms, term{row[j], x[j]})
				case row[j] == row[j+1]:
					terms = append(terms, term{row[j], s})
				default:
					terms = append(terms, term{row[j], differences[j]})
				}
			}
			if paired {
				j++
			}
		}
		v, f := c.sum(terms)
		store(i, c.scaled(f, v))
	}
}

func column(matrix [][]float64, j int) []float64 {
	var out []float64
	for _, row := range matrix {
		out = append(out, row[j])
	}
	return out
}

// mirrored reports whether a and b differ in signs alone.
func mirrored(a, b []float64) bool {
	equal := true
	for i := range a {
		if math.Abs(a[i]) != math.Abs(b[i]) {
			return false
		}
		equal = equal && a[i] == b[i]
	}
	return !equal
}

// inputTransform writes BT d B for tiles of an input, in element's type.
func inputTransform(a isa, element string, f *winograd.Matrices) {
	name := fmt.Sprintf("winogradInput%s_%d", element, f.M)
	TEXT(name, NOSPLIT, inputSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is inputFunc for F(%d, 3).", name, f.M))
	out := cell
	if element == bf16Kernels {
		out = cell / 2
	}
	restore := flushDenormals()
	c := prepare(a, name+"_factors", func(c *arithmetic) { c.rowPairs(f.BT, make([]reg.VecVirtual, f.N)) })
	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	srcRow, dstProduct := newStrided(load("srcRow"), f.N), newStrided(load("dstProduct"), f.N)
	x := make([]reg.VecVirtual, f.N)

	Label("tile")
	src, dst, blocks := load("src"), load("dst"), load("blocks")
	Label("block")
	for part := range a.parts() {
		scratch, from, columns := load("scratch"), GP64(), GP64()
		LEAQ(Mem{Base: src, Disp: part * a.bytes()}, from)
		MOVQ(U32(f.N), columns)
		column := fmt.Sprintf("column%d", part)
		Label(column)
		for i := range x {
			x[i] = a.vector()
			VMOVUPS(srcRow.at(from, i, 0), x[i])
		}
		for i, v := range c.rowPairs(f.BT, x) {
			VMOVUPS(v, Mem{Base: scratch, Disp: i * f.N * a.bytes()})
		}
		ADDQ(U32(cell), from)
		ADDQ(U32(a.bytes()), scratch)
		DECQ(columns)
		JNZ(LabelRef(column))

		scratch = load("scratch")
		to, rows := GP64(), GP64()
		LEAQ(Mem{Base: dst, Disp: part * a.bytes()}, to)
		MOVQ(U32(f.N), rows)
		row := fmt.Sprintf("row%d", part)
		Label(row)
		for i := range x {
			x[i] = a.vector()
			VMOVUPS(Mem{Base: scratch, Disp: i * a.bytes()}, x[i])
		}
		for i, v := range c.rowPairs(f.BT, x) {
			to := dstProduct.at(to, i, 0)
			if element == bf16Kernels {
				VMOVUPS(rounded(v), to)
			} else {
				VMOVUPS(v, to)
			}
		}
		skip(dstProduct, f.N, to)
		ADDQ(U32(f.N*a.bytes()), scratch)
		DECQ(rows)
		JNZ(LabelRef(row))
	}
	ADDQ(load("srcBlock"), src)
	ADDQ(U32(out), dst)
	DECQ(blocks)
	JNZ(LabelRef("block"))

	advance("src", load("srcTile"))
	advance("dst", load("dstTile"))
	countDown("tiles", "tile")
	restore()
	VZEROUPPER()
	RET()
}

// outputTransform writes AT m A for tiles of products.
func outputTransform(a isa, f *winograd.Matrices) {
	name := fmt.Sprintf("winogradOutput%s_%d", a.name, f.M)
	TEXT(name, NOSPLIT, outputSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is outputFunc for F(%d, 3).", name, f.M))
	restore := flushDenormals()
	c := prepare(a, name+"_factors", func(c *arithmetic) {
		c.columnPairs(f.AT, make([]reg.VecVirtual, f.N), func(int, reg.VecVirtual) {})
	})
	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	floor := a.floor(load("relu"))
	product := load("srcProduct")
	line := GP64()
	IMUL3Q(U32(f.N), product, line)
	srcRow := newStrided(line, f.N)
	x := make([]reg.VecVirtual, f.N)

	Label("tile")
	src, dst, bias, blocks := load("src"), load("dst"), load("bias"), load("blocks")
	Label("block")
	for part := range a.parts() {
		scratch, from, columns := load("scratch"), GP64(), GP64()
		LEAQ(Mem{Base: src, Disp: part * a.bytes()}, from)
		MOVQ(U32(f.N), columns)
		column := fmt.Sprintf("column%d", part)
		Label(column)
		for i := range x {
			x[i] = a.vector()
			VMOVUPS(srcRow.at(from, i, 0), x[i])
		}
		c.columnPairs(f.AT, x, func(i int, v reg.VecVirtual) {
			VMOVUPS(v, Mem{Base: scratch, Disp: i * f.N * a.bytes()})
		})
		ADDQ(product, from)
		ADDQ(U32(a.bytes()), scratch)
		DECQ(columns)
		JNZ(LabelRef(column))

		scratch = load("scratch")
		shift := a.vector()
		VMOVUPS(Mem{Base: bias, Disp: part * a.bytes()}, shift)
		to, rows, width := GP64(), load("rows"), load("cols")
		LEAQ(Mem{Base: dst, Disp: part * a.bytes()}, to)
		row, end := fmt.Sprintf("row%d", part), fmt.Sprintf("end%d", part)
		Label(row)
		for i := range x {
			x[i] = a.vector()
			VMOVUPS(Mem{Base: scratch, Disp: i * a.bytes()}, x[i])
		}
		c.columnPairs(f.AT, x, func(i int, v reg.VecVirtual) {
			if i > 0 {
				CMPQ(width, U32(i))
				JLE(LabelRef(end))
			}
			y := a.vector()
			VADDPS(shift, v, y)
			VMAXPS(y, floor, y) // NaN stays
			VMOVUPS(y, Mem{Base: to, Disp: i * cell})
		})
		Label(end)
		ADDQ(load("dstRow"), to)
		ADDQ(U32(f.N*a.bytes()), scratch)
		DECQ(rows)
		JNZ(LabelRef(row))
	}
	ADDQ(U32(cell), src)
	ADDQ(U32(cell), bias)
	ADDQ(load("dstBlock"), dst)
	DECQ(blocks)
	JNZ(LabelRef("block"))

	advance("src", load("srcTile"))
	advance("dst", load("dstTile"))
	countDown("tiles", "tile")
	restore()
	VZEROUPPER()
	RET()
}

// skip moves p by n strides.
func skip(s strided, n int, p reg.GPVirtual) {
	for ; n >= 4; n -= 4 {
		LEAQ(s.at(p, 4, 0), p)
	}
	if n > 0 {
		LEAQ(s.at(p, n, 0), p)
	}
}

// advance adds step to an argument of the function.
func advance(param string, step reg.GPVirtual) {
	p, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	ADDQ(step, p.Addr)
}

// countDown takes one from an argument and jumps to label unless none is left.
func countDown(param, label string) {
	p, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	DECQ(p.Addr)
	JNZ(LabelRef(label))
}
