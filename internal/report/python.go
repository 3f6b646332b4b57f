package report

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"
)

// appendFloat appends Python's repr of a finite float: the fewest digits that
// give it back, an exponent below 1e-4 and from 1e16 on. It tells whether v was
// finite.
func appendFloat(b []byte, v float64) ([]byte, bool) {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return b, false
	case a != 0 && a < 1e-4 || a >= 1e16:
		return strconv.AppendFloat(b, v, 'e', -1, 64), true
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	if bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b, true
}

// surrogateEscape is what Python adds to a byte of a file name that is not
// UTF-8 to keep it in a str: a surrogate without its other half (PEP 383).
const surrogateEscape = 0xdc00

// pyString calls yield with the characters of the str that Python makes of a
// file name.
func pyString(s string, yield func(c rune)) {
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		if c == utf8.RuneError && size == 1 {
			c = surrogateEscape + rune(s[i])
		}
		yield(c)
		i += size
	}
}
