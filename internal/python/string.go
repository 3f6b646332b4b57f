package python

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// String is repr(s). A byte that is not UTF-8 is written as \xNN.
func String(s string) string { return string(AppendString(nil, s)) }

// AppendString appends repr(s).
func AppendString(b []byte, s string) []byte {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b = append(b, byte(quote))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case r == quote || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case unicode.IsPrint(r):
			b = append(b, s[i:i+size]...)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
		i += size
	}
	return append(b, byte(quote))
}

// surrogateEscape is the number that Python adds to a byte that is not UTF-8, to
// store it in a str as a lone surrogate (PEP 383).
const surrogateEscape = 0xdc00

// Runes returns the characters of the str that Python makes from a file name.
// Characters from 0xdc80 to 0xdcff are bytes that are not UTF-8.
func Runes(s string) iter.Seq[rune] {
	return func(yield func(rune) bool) {
		for i := 0; i < len(s); {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				r = surrogateEscape + rune(s[i])
			}
			if !yield(r) {
				return
			}
			i += size
		}
	}
}
