package report

import (
	"bufio"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"

	"repvgg/internal/python"
)

// jsonEncoder writes JSON as Python's json.dump does.
type jsonEncoder struct {
	w         *bufio.Writer
	separator string // before the next entry
}

func (e *jsonEncoder) begin() bool {
	e.w.WriteByte('{')
	return false
}

func (e *jsonEncoder) key(name string) {
	e.w.WriteString(e.separator)
	e.w.Write(appendJSONString(e.w.AvailableBuffer(), name))
	e.w.WriteString(": ")
	e.separator = ", "
}

func (e *jsonEncoder) float(v float64) { e.w.Write(appendJSONFloat(e.w.AvailableBuffer(), v)) }

func (e *jsonEncoder) floats(v []float64) {
	writeFlow(e.w, len(v), func(b []byte, i int) []byte { return appendJSONFloat(b, v[i]) })
}

func (e *jsonEncoder) ints(n int, at func(int) int64) {
	writeFlow(e.w, n, func(b []byte, i int) []byte { return strconv.AppendInt(b, at(i), 10) })
}

func (e *jsonEncoder) strings(n int, at func(int) string) {
	writeFlow(e.w, n, func(b []byte, i int) []byte { return appendJSONString(b, at(i)) })
}

func (e *jsonEncoder) vector(n int, at func(int) float32) {
	writeFlow(e.w, n, func(b []byte, i int) []byte { return appendJSONFloat(b, float64(at(i))) })
}

func (e *jsonEncoder) matrix(v []float32, columns int) {
	e.w.WriteByte('[')
	for i := 0; i < len(v); i += columns {
		if i > 0 {
			e.w.WriteString(", ")
		}
		row := v[i : i+columns]
		e.vector(columns, func(j int) float32 { return row[j] })
	}
	e.w.WriteByte(']')
}

func (e *jsonEncoder) end() { e.w.WriteByte('}') }

// writeFlow writes a list in brackets, for JSON and YAML.
func writeFlow(w *bufio.Writer, n int, item func(b []byte, i int) []byte) {
	w.WriteByte('[')
	for i := range n {
		if i > 0 {
			w.WriteString(", ")
		}
		w.Write(item(w.AvailableBuffer(), i))
	}
	w.WriteByte(']')
}

// appendJSONFloat appends a number. NaN and infinities, which JSON lacks, are
// written as Python writes them.
func appendJSONFloat(b []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	case math.IsNaN(v):
		return append(b, "NaN"...)
	}
	return python.AppendFloat(b, v)
}

// appendJSONString appends a string. Characters outside ASCII become \uXXXX.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for c := range python.Runes(s) {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c >= ' ' && c < 0x7f:
			b = append(b, byte(c))
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(b, '"')
}
