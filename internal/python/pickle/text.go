package pickle

import (
	"bufio"
	"errors"
	"strconv"
	"strings"
)

// longLine reads a line of text; one that is too long is not kept.
func (d *decoder) longLine() error {
	d.text, d.blob = "", nil
	var b []byte
	at := d.pos
	for {
		part, err := d.r.ReadSlice('\n')
		d.pos += int64(len(part))
		switch {
		case d.skip:
		case d.blob == nil && len(b)+len(part) <= maxText:
			b = append(b, part...)
		default:
			d.blob = &Blob{Offset: at, Length: d.pos - at, escaped: true}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	if d.skip || d.blob != nil {
		return nil
	}
	line := string(b[:len(b)-1])
	if d.op == opString {
		line = strings.TrimSuffix(line, "\r")
		if n := len(line); n < 2 || line[0] != line[n-1] || line[0] != '\'' && line[0] != '"' {
			return errors.New("its pickled structure is damaged: a string has no quotes")
		}
		line = line[1 : len(line)-1]
	}
	d.text = unescape(line, d.op == opString)
	return nil
}

// unescape reads the escapes of Python: of a str of Python 2 in its own text
// (quoted), else of raw-unicode-escape, which knows \u and \U only.
func unescape(s string, quoted bool) string {
	if strings.IndexByte(s, '\\') < 0 && quoted {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c != '\\' || i+1 == len(s):
			if quoted {
				b.WriteByte(c)
			} else {
				b.WriteRune(rune(c)) // the line is Latin-1
			}
			continue
		case !quoted:
			width := map[byte]int{'u': 4, 'U': 8}[s[i+1]]
			if n, err := strconv.ParseUint(s[i+2:min(i+2+width, len(s))], 16, 32); width > 0 && err == nil {
				b.WriteRune(rune(n))
				i += 1 + width
			} else {
				b.WriteByte(c)
			}
			continue
		}
		i++
		switch c = s[i]; c {
		case 'x':
			if n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
			}
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
