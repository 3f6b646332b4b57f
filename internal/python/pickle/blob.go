package pickle

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// Blob is a str or bytes that is too long to be kept: it stays in the file.
type Blob struct {
	// Offset and Length say where it lies in what was given to Load.
	Offset, Length int64
	// Latin1 says that it is bytes, written as text of the characters U+0000 to
	// U+00FF in UTF-8, as Python 3 does in protocol 2.
	Latin1 bool
	// escaped says that it is a line of protocol 0, which is not read.
	escaped bool
}

// Open reads the blob's bytes from what was given to Load.
func (b *Blob) Open(r io.ReaderAt) io.Reader {
	section := io.NewSectionReader(r, b.Offset, b.Length)
	switch {
	case b.escaped:
		return failing{errors.New("a long text of pickle protocol 0 is not read; save the file again with protocol 2")}
	case b.Latin1:
		return &latin1{r: bufio.NewReaderSize(section, 64<<10)}
	}
	return section
}

var errNotLatin1 = errors.New("its pickled bytes are not those of Latin-1 text")

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// latin1 turns UTF-8 into the bytes that its characters stand for.
type latin1 struct{ r *bufio.Reader }

func (l *latin1) Read(p []byte) (int, error) {
	for n := range p {
		c, err := l.r.ReadByte()
		switch {
		case err != nil:
			return n, err
		case c < utf8.RuneSelf:
			p[n] = c
			continue
		}
		low, err := l.r.ReadByte()
		if err != nil || c != 0xc2 && c != 0xc3 || low&0xc0 != 0x80 {
			return n, errNotLatin1
		}
		p[n] = c<<6 | low&0x3f
	}
	return len(p), nil
}
