package report

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"repvgg/internal/python"
)

// yamlEncoder writes plain numbers and lists as PyYAML's dump does, except that
// each row of a matrix is on one line and strings are in double quotes.
type yamlEncoder struct {
	w     *bufio.Writer
	empty bool // no entry has been written
}

func (e *yamlEncoder) begin() bool {
	e.empty = true
	return true
}

// key writes a key. The keys of results need no quotes.
func (e *yamlEncoder) key(name string) {
	e.empty = false
	e.w.WriteString(name)
	e.w.WriteByte(':')
}

func (e *yamlEncoder) float(v float64) {
	e.w.WriteByte(' ')
	e.w.Write(appendYAMLFloat(e.w.AvailableBuffer(), v))
	e.w.WriteByte('\n')
}

func (e *yamlEncoder) floats(v []float64) {
	e.list(len(v), func(b []byte, i int) []byte { return appendYAMLFloat(b, v[i]) })
}

func (e *yamlEncoder) ints(n int, at func(int) int64) {
	e.list(n, func(b []byte, i int) []byte { return strconv.AppendInt(b, at(i), 10) })
}

func (e *yamlEncoder) strings(n int, at func(int) string) {
	e.list(n, func(b []byte, i int) []byte { return appendYAMLString(b, at(i)) })
}

func (e *yamlEncoder) vector(n int, at func(int) float32) {
	e.list(n, func(b []byte, i int) []byte { return appendYAMLFloat(b, float64(at(i))) })
}

func (e *yamlEncoder) matrix(v []float32, columns int) {
	if len(v) == 0 {
		e.w.WriteString(" []")
	}
	for ; len(v) > 0; v = v[columns:] {
		e.w.WriteString("\n- ")
		writeFlow(e.w, columns, func(b []byte, i int) []byte { return appendYAMLFloat(b, float64(v[i])) })
	}
	e.w.WriteByte('\n')
}

// list writes one item per line.
func (e *yamlEncoder) list(n int, item func(b []byte, i int) []byte) {
	if n == 0 {
		e.w.WriteString(" []")
	}
	for i := range n {
		e.w.WriteString("\n- ")
		e.w.Write(item(e.w.AvailableBuffer(), i))
	}
	e.w.WriteByte('\n')
}

func (e *yamlEncoder) end() {
	if e.empty {
		e.w.WriteString("{}\n")
	}
}

// appendYAMLFloat appends a number as PyYAML writes it. In YAML 1.1, a number with
// an exponent needs a decimal point.
func appendYAMLFloat(b []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, ".inf"...)
	case math.IsInf(v, -1):
		return append(b, "-.inf"...)
	case math.IsNaN(v):
		return append(b, ".nan"...)
	}
	start := len(b)
	b = python.AppendFloat(b, v)
	exponent := bytes.IndexByte(b[start:], 'e')
	if exponent < 0 || bytes.IndexByte(b[start:], '.') >= 0 {
		return b
	}
	digits := append([]byte(nil), b[start+exponent:]...)
	return append(append(b[:start+exponent], ".0"...), digits...)
}

// appendYAMLString appends a string in double quotes. Characters outside ASCII are
// escaped. Bytes that are not valid UTF-8, which YAML can't hold, become the
// replacement character.
func appendYAMLString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c >= ' ' && c < utf8.RuneSelf-1:
			b = append(b, byte(c))
		default:
			b = fmt.Appendf(b, `\U%08x`, c)
		}
	}
	return append(b, '"')
}
