package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The Go assembler lacks the instructions of AVX512-BF16. The functions that
// need them are generated with stand-ins of the same operands, whose lines are
// then replaced by the bytes of the real instructions.

// bf16Kernels is part of the names of functions whose multiply-adds are of pairs
// of bfloat16 values.
const bf16Kernels = "BF16"

// narrow writes the conversion of cells.
func narrow() {
	name := "narrow" + bf16Kernels
	TEXT(name, NOSPLIT, "func(dst *byte, low, high *float32, n int)")
	Pragma("noescape")
	Doc(name + " is narrowFunc.")
	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	dst, low, high, n := load("dst"), load("low"), load("high"), load("n")
	Label("cell")
	x, y := ZMM(), ZMM()
	VMOVUPS(Mem{Base: low}, x)
	VMOVUPS(Mem{Base: high}, y)
	VUNPCKLPS(x, y, x) // stands for VCVTNE2PS2BF16
	VMOVUPS(x, Mem{Base: dst})
	ADDQ(Imm(cell), dst)
	ADDQ(Imm(cell), low)
	ADDQ(Imm(cell), high)
	DECQ(n)
	JNZ(LabelRef("cell"))
	VZEROUPPER()
	RET()
}

// epilogue writes that of sums that are not in registers any more, with float32 or
// bf16 results.
func epilogue(element string) {
	name := "epilogue" + element
	TEXT(name, NOSPLIT, "func(dst *byte, src *float32, srcStride int, bias *float32, relu, n int)")
	Pragma("noescape")
	Doc(name + " is epilogueFunc.")
	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	dst, src, stride, n := load("dst"), load("src"), load("srcStride"), load("n")
	bias, floor := ZMM(), avx512.floor(load("relu"))
	VMOVUPS(Mem{Base: load("bias")}, bias)
	Label("cell")
	x := ZMM()
	VADDPS(Mem{Base: src}, bias, x)
	VMAXPS(x, floor, x) // NaN stays
	if element == bf16Kernels {
		VMOVUPS(rounded(x), Mem{Base: dst})
	} else {
		VMOVUPS(x, Mem{Base: dst})
	}
	ADDQ(Imm(cell), dst)
	ADDQ(stride, src)
	DECQ(n)
	JNZ(LabelRef("cell"))
	VZEROUPPER()
	RET()
}

// rounded is a vector as bf16 values, half as wide.
func rounded(v reg.VecVirtual) reg.Register {
	y := ZMM()
	VSQRTPS(v, y) // stands for VCVTNEPS2BF16
	return y.AsY()
}

// replaced are the instructions that stand for others: opcode and prefix.
var replaced = map[string]struct {
	name           string
	opcode, prefix byte // the prefix as EVEX has it: 2 is F3, 3 is F2
}{
	"VFMADD231PS": {"VDPBF16PS", 0x52, 2},
	"VUNPCKLPS":   {"VCVTNE2PS2BF16", 0x72, 3},
	"VSQRTPS":     {"VCVTNEPS2BF16", 0x72, 2}, // of two operands
}

var (
	function = regexp.MustCompile(`^TEXT ·(\w+)\(`)
	vectors  = regexp.MustCompile(`^\t(\w+) +Z(\d+), Z(\d+)(?:, Z(\d+))?$`)
)

// encodeBF16 replaces the stand-ins in a generated file.
func encodeBF16(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	inside := false
	for i, line := range lines {
		if f := function.FindStringSubmatch(line); f != nil {
			inside = strings.Contains(f[1], bf16Kernels)
		}
		m := vectors.FindStringSubmatch(line)
		if !inside || m == nil {
			continue
		}
		r, ok := replaced[m[1]]
		switch {
		case ok && m[4] == "":
			lines[i] = fmt.Sprintf("\t// %s Z%s, Y%s\n\t%s", r.name, m[2], m[3], evex(r.opcode, r.prefix, number(m[3]), 0, number(m[2])))
		case ok:
			lines[i] = fmt.Sprintf("\t// %s Z%s, Z%s, Z%s\n\t%s", r.name, m[2], m[3], m[4], evex(r.opcode, r.prefix, number(m[4]), number(m[3]), number(m[2])))
		}
	}
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644)
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // digits by the expression
	return n
}

// evex encodes an instruction of three 512-bit registers from the 0F38 map, in
// Intel's order: destination, first and second source.
func evex(opcode, prefix byte, dst, first, second int) string {
	inverted := func(v, bit, to int) byte { return byte(v>>bit&1^1) << to }
	b := []byte{
		0x62,
		inverted(dst, 3, 7) | inverted(second, 4, 6) | inverted(second, 3, 5) | inverted(dst, 4, 4) | 2,
		byte(^first&15)<<3 | 4 | prefix,
		2<<5 | inverted(first, 4, 3),
		opcode,
		0xc0 | byte(dst&7)<<3 | byte(second&7),
	}
	var out []string
	for _, v := range b {
		out = append(out, fmt.Sprintf("BYTE $%#02x", v))
	}
	return strings.Join(out, "; ")
}
