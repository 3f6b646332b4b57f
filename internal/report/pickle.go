package report

import (
	"bufio"
	"math"
	"unicode/utf8"

	"repvgg/internal/python"
	"repvgg/internal/python/pickle"
)

// pickleEncoder writes a dict as pickle protocol 2, with NumPy arrays.
type pickleEncoder struct {
	w *bufio.Writer
	*pickle.Encoder
}

func (e *pickleEncoder) begin() bool {
	e.Encoder = pickle.NewEncoder(e.w)
	e.Put(pickle.EmptyDict, pickle.Mark)
	return false
}

func (e *pickleEncoder) end() {
	e.Put(pickle.SetItems)
	e.End()
}

func (e *pickleEncoder) key(name string) { e.string(name) }

func (e *pickleEncoder) float(v float64) { e.Float(v) }

func (e *pickleEncoder) floats(v []float64) {
	e.Array("f8", 8, len(v), func(i int) uint64 { return math.Float64bits(v[i]) }, len(v))
}

func (e *pickleEncoder) ints(n int, at func(int) int64) {
	e.Array("i8", 8, n, func(i int) uint64 { return uint64(at(i)) }, n)
}

func (e *pickleEncoder) vector(n int, at func(int) float32) {
	e.Array("f4", 4, n, func(i int) uint64 { return uint64(math.Float32bits(at(i))) }, n)
}

func (e *pickleEncoder) matrix(v []float32, columns int) {
	e.Array("f4", 4, len(v), func(i int) uint64 { return uint64(math.Float32bits(v[i])) }, len(v)/columns, columns)
}

func (e *pickleEncoder) strings(n int, at func(int) string) {
	e.Put(pickle.EmptyList, pickle.Mark)
	for i := range n {
		e.string(at(i))
	}
	e.Put(pickle.Appends)
}

// string writes a str. Lone surrogates are written as Python's pickle does.
func (e *pickleEncoder) string(s string) {
	var b []byte
	for c := range python.Runes(s) {
		if c >= 0xd800 && c < 0xe000 { // utf8.AppendRune would replace it
			b = append(b, 0xe0|byte(c>>12), 0x80|byte(c>>6&0x3f), 0x80|byte(c&0x3f))
			continue
		}
		b = utf8.AppendRune(b, c)
	}
	e.Str(string(b))
}
