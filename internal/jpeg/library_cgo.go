//go:build cgo && unix

package jpeg

/*
#cgo linux LDFLAGS: -ldl
#include "libjpeg.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// advice is what to do where the library can't be opened.
const advice = "install libjpeg-turbo, on Debian libjpeg62-turbo, or name its libjpeg.so in " + libraryVariable

// libraryNames are the names of libjpeg-turbo's libjpeg for the dynamic linker:
// Debian, Fedora and others build it with the interface of version 6.2; Ubuntu,
// Arch and Alpine with that of 8.
var libraryNames = []string{"libjpeg.so.62", "libjpeg.so.8"}

// library is libjpeg-turbo, opened. It may be used by any number of goroutines.
type library struct {
	path string
	c    *C.struct_rj_library
}

// message is a text that C wrote, up to its zero.
type message [C.RJ_MESSAGE]byte

func (m *message) c() *C.uchar { return (*C.uchar)(&m[0]) }

func (m *message) String() string {
	text, _, _ := bytes.Cut(m[:], []byte{0})
	return string(text)
}

// status makes an error of what a C function returned.
func (m *message) status(failed C.int) error {
	if failed == 0 {
		return nil
	}
	return errors.New(m.String())
}

func openLibrary() (*library, error) {
	names := libraryNames
	file := os.Getenv(libraryVariable)
	if file != "" {
		names = []string{file}
	}
	var first error
	for _, name := range names {
		var msg message
		if c := C.rj_open((*C.uchar)(&append([]byte(name), 0)[0]), msg.c()); c != nil {
			return &library{path: msg.String(), c: c}, nil
		}
		if first == nil {
			first = errors.New(msg.String())
		}
	}
	if file != "" {
		return nil, fmt.Errorf("%s=%q: %w", libraryVariable, file, first)
	}
	return nil, first
}

// decode implements Decoder.Decode.
func (l *library) decode(data, dst []byte, maxPixels int) (width, height int, rgb []byte, err error) {
	var (
		msg  message
		size [2]C.int
		in   = (*C.uchar)(&data[0])
		n    = C.size_t(len(data))
	)
	if err := msg.status(C.rj_size(l.c, in, n, &size[0], msg.c())); err != nil {
		return 0, 0, nil, err
	}
	width, height = int(size[0]), int(size[1])
	if err := checkSize(width, height, maxPixels); err != nil {
		return 0, 0, nil, err
	}
	rgb = grow(dst, 3*width*height)
	if err := msg.status(C.rj_decode(l.c, in, n, &size[0], (*C.uchar)(&rgb[0]), msg.c())); err != nil {
		return 0, 0, nil, err
	}
	return width, height, rgb, nil
}
