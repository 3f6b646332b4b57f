package main

import (
	"encoding/binary"
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	amxSignature = "func(a *byte, aStride, aSecond, aNext int, offsets *int, segments int, b *byte, bPanel int, " +
		"c *float32, cStride, cSecond, cPanel, cNext int, rows, second, panels, times int, config *byte)"
	amxTileBytes = 16 * 64
)

// tile is one of AMX's tile registers.
type tile int

// The prefixes of AMX's instructions, as VEX has them.
const (
	prefixNone = iota
	prefix66
	prefixF3
	prefixF2
)

// emit writes an instruction that neither the assembler nor avo knows, under its
// text for the GNU assembler: a VEX prefix of opcode map 0F38, the opcode and
// what follows it. uses are its registers, which must be physical ones.
func emit(text string, isa string, prefix byte, r, x, b, vvvv int, opcode byte, rest []byte, uses ...Op) {
	inverted := func(bit int) byte { return byte(^bit & 1) }
	code := append([]byte{
		0xc4,
		inverted(r>>3)<<7 | inverted(x>>3)<<6 | inverted(b>>3)<<5 | 2,
		byte(^vvvv&15)<<3 | prefix,
		opcode,
	}, rest...)
	Comment(text)
	for len(code) > 0 {
		i := &ir.Instruction{Inputs: uses, ISA: []string{isa}}
		switch {
		case len(code) >= 4:
			i.Opcode, i.Operands = "LONG", []Op{U32(binary.LittleEndian.Uint32(code))}
			code = code[4:]
		case len(code) >= 2:
			i.Opcode, i.Operands = "WORD", []Op{U16(binary.LittleEndian.Uint16(code))}
			code = code[2:]
		default:
			i.Opcode, i.Operands = "BYTE", []Op{U8(code[0])}
			code = nil
		}
		Instruction(i)
	}
}

func registerNumber(r reg.Register) int { return int(r.(reg.Physical).PhysicalIndex()) }

// gnu is the GNU assembler's name of a 64-bit register.
func gnu(r reg.Register) string {
	name := strings.ToLower(r.Asm())
	if name[0] == 'r' {
		return "%" + name
	}
	return "%r" + name
}

// emitTile writes an instruction between a tile and memory: rows from base on,
// stride bytes apart.
func emitTile(text string, prefix byte, t tile, base, stride reg.Register) {
	modRM, sib := byte(t)<<3|4, byte(registerNumber(stride)&7)<<3|byte(registerNumber(base)&7)
	rest := []byte{modRM, sib}
	if registerNumber(base)&7 == 5 { // without a displacement, it would be no base
		rest = []byte{modRM | 1<<6, sib, 0}
	}
	emit(text, "AMX-TILE", prefix, 0, registerNumber(stride), registerNumber(base), 0, 0x4b, rest, base, stride)
}

func tileLoad(base, stride reg.Register, t tile) {
	emitTile(fmt.Sprintf("tileloadd (%s,%s,1), %%tmm%d", gnu(base), gnu(stride), t), prefixF2, t, base, stride)
}

func tileStore(t tile, base, stride reg.Register) {
	emitTile(fmt.Sprintf("tilestored %%tmm%d, (%s,%s,1)", t, gnu(base), gnu(stride)), prefixF3, t, base, stride)
}

func tileZero(t tile) {
	emit(fmt.Sprintf("tilezero %%tmm%d", t), "AMX-TILE", prefixF2, 0, 0, 0, 0, 0x49, []byte{0xc0 | byte(t)<<3})
}

// tileConfigure loads the configuration that a register points to.
func tileConfigure(base reg.Register) {
	n := registerNumber(base)
	if n&7 == 4 || n&7 == 5 {
		panic("tileConfigure: a register that takes a longer form")
	}
	emit(fmt.Sprintf("ldtilecfg (%s)", gnu(base)), "AMX-TILE", prefixNone, 0, 0, n, 0, 0x49, []byte{byte(n & 7)}, base)
}

func tileRelease() { emit("tilerelease", "AMX-TILE", prefixNone, 0, 0, 0, 0, 0x49, []byte{0xc0}) }

// tileProduct adds the product of a and b, of bfloat16 pairs, to sum.
func tileProduct(b, a, sum tile) {
	emit(fmt.Sprintf("tdpbf16ps %%tmm%d, %%tmm%d, %%tmm%d", b, a, sum), "AMX-BF16", prefixF3, 0, 0, 0, int(b), 0x5c,
		[]byte{0xc0 | byte(sum)<<3 | byte(a)})
}

// amxKernels writes everything that is for AMX.
func amxKernels() {
	gemmAMX()
	xgetbv()
}

// The tiles of gemmAMX: sums by half and panel, rows of a by half, b by panel.
// amxConfig in ../amx_amd64.go gives them their sizes.
func sumTile(half, panel int) tile { return tile(2*half + panel) }
func rowTile(half int) tile        { return tile(4 + half) }
func panelTile(panel int) tile     { return tile(6 + panel) }

func gemmAMX() {
	TEXT("gemmAMX", NOSPLIT, amxSignature)
	Pragma("noescape")
	Doc("gemmAMX multiplies matrices of bfloat16 values, see amx_amd64.go.")
	config := Load(Param("config"), reg.RAX)
	tileConfigure(config)
	// Loops for one half of rows or two, and one panel or two.
	CMPQ(argument("second"), Imm(0))
	JNE(LabelRef("two_halves"))
	CMPQ(argument("panels"), Imm(1))
	JNE(LabelRef("again_1x2"))
	gemmAMXLoop(1, 1)
	gemmAMXLoop(1, 2)
	Label("two_halves")
	CMPQ(argument("panels"), Imm(1))
	JNE(LabelRef("again_2x2"))
	gemmAMXLoop(2, 1)
	gemmAMXLoop(2, 2)
}

func gemmAMXLoop(halves, panels int) {
	label := func(name string) string { return fmt.Sprintf("%s_%dx%d", name, halves, panels) }
	each := func(f func(half, panel int)) {
		for h := range halves {
			for p := range panels {
				f(h, p)
			}
		}
	}
	// All registers are chosen here: the tile instructions are bytes.
	base, stride, line := reg.RSI, reg.RCX, reg.R10
	offsets, segments := reg.RDX, reg.RBX
	rows, second := []reg.Register{reg.R11, reg.R12}, reg.RDI
	b := []reg.Register{reg.R8, reg.R9}

	Label(label("again"))
	Load(Param("a"), base)
	Load(Param("aStride"), stride)
	Load(Param("aSecond"), second)
	MOVQ(U32(64), line)

	each(func(h, p int) { tileZero(sumTile(h, p)) })
	Load(Param("offsets"), offsets)
	Load(Param("segments"), segments)
	Load(Param("b"), b[0])
	if panels > 1 {
		MOVQ(b[0], b[1])
		ADDQ(argument("bPanel"), b[1])
	}

	Label(label("segment"))
	MOVQ(Mem{Base: offsets}, rows[0])
	ADDQ(base, rows[0])
	for p := range panels {
		tileLoad(b[p], line, panelTile(p))
		for h := range halves {
			if p == 0 {
				if h == 1 {
					LEAQ(Mem{Base: rows[0], Index: second, Scale: 1}, rows[1])
				}
				tileLoad(rows[h], stride, rowTile(h))
			}
			tileProduct(panelTile(p), rowTile(h), sumTile(h, p))
		}
	}
	for p := range panels {
		ADDQ(U32(amxTileBytes), b[p])
	}
	ADDQ(Imm(8), offsets)
	DECQ(segments)
	JNZ(LabelRef(label("segment")))

	c, cSecond, cPanel, cStride, next := reg.R11, reg.R12, reg.R8, reg.RDX, reg.RBX
	Load(Param("c"), c)
	Load(Param("cStride"), cStride)
	for h := range halves {
		if h == 1 {
			MOVQ(c, cSecond)
			ADDQ(argument("cSecond"), cSecond)
		}
		from := []reg.Register{c, cSecond}[h]
		tileStore(sumTile(h, 0), from, cStride)
		if panels > 1 {
			MOVQ(from, cPanel)
			ADDQ(argument("cPanel"), cPanel)
			tileStore(sumTile(h, 1), cPanel, cStride)
		}
	}
	for _, v := range [][2]string{{"a", "aNext"}, {"c", "cNext"}} {
		MOVQ(argument(v[1]), next)
		ADDQ(next, argument(v[0]))
	}
	countDown("times", label("again"))
	tileRelease()
	RET()
}

func xgetbv() {
	TEXT("xgetbv", NOSPLIT, "func(index uint32) (value uint64)")
	Doc("xgetbv reads an extended control register.")
	Load(Param("index"), reg.ECX)
	XGETBV()
	SHLQ(Imm(32), reg.RDX)
	ORQ(reg.RDX, reg.RAX)
	Store(reg.RAX, ReturnIndex(0))
	RET()
}

// argument is where an argument lies.
func argument(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}
