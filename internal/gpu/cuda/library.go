//go:build cgo && unix

package cuda

/*
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "library.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"unsafe"
)

// message is a text that C writes, up to its zero byte.
type message [C.RG_MESSAGE]byte

func (m *message) c() *C.char { return (*C.char)(unsafe.Pointer(&m[0])) }

func (m *message) String() string {
	text, _, _ := bytes.Cut(m[:], []byte{0})
	return string(text)
}

// load opens a library by a C function that takes a name and a buffer for a
// message. It returns the path of the file.
func load(l *library, env Environment, open func(name, message *C.char) C.int) (string, error) {
	var path string
	err := l.open(env, func(name string) error {
		var msg message
		c := C.CString(name)
		defer C.free(unsafe.Pointer(c))
		if open(c, msg.c()) != 0 {
			return errors.New(msg.String())
		}
		path = msg.String()
		return nil
	})
	return path, err
}

// openAny loads a library whose functions are not called from here.
func openAny(name, msg *C.char) C.int { return C.rg_open(name, nil, 0, nil, msg) }
