//go:build cgo && unix

package cuda

/*
#include <stdlib.h>
#include "nvrtc.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// Compiler is NVRTC, which compiles CUDA C++ when the program runs.
type Compiler struct {
	lib  C.struct_rg_nvrtc
	path string
}

// OpenCompiler finds NVRTC for a driver that supports CUDA up to a version, 13000
// for 13.0. A driver may refuse code of a newer compiler.
func OpenCompiler(env Environment, cuda int) (*Compiler, error) {
	c, l := new(Compiler), nvrtcFor(cuda)
	var err error
	c.path, err = load(&l, env, func(name, msg *C.char) C.int { return C.rg_nvrtc_open(name, &c.lib, msg) })
	if err != nil {
		return nil, fmt.Errorf("NVRTC was not found (%w); pip install nvidia-cuda-nvrtc, or set %s", err, nvrtcVariable)
	}
	return c, nil
}

// Path is the file of the library.
func (c *Compiler) Path() string { return c.path }

func (c *Compiler) check(call string, code C.int) error {
	return status(libNVRTC, call, int(code), func(code int) string { return C.GoString(C.rg_nvrtc_error(&c.lib, C.int(code))) })
}

// maxOptions is how many options a compilation can have.
const maxOptions = 64

// Compile compiles a source to machine code for one kind of device, which an
// option names. In its messages the compiler calls the source name.
func (c *Compiler) Compile(source, name string, options []string) ([]byte, error) {
	if len(options) > maxOptions {
		return nil, fmt.Errorf("compiling %s: %d options are too many", name, len(options))
	}
	text, title := C.CString(source), C.CString(name)
	defer C.free(unsafe.Pointer(text))
	defer C.free(unsafe.Pointer(title))
	var program unsafe.Pointer
	if err := c.check("nvrtcCreateProgram", C.rg_nvrtc_create(&c.lib, &program, text, title)); err != nil {
		return nil, err
	}
	defer C.rg_nvrtc_destroy(&c.lib, program)
	words := (*[maxOptions]*C.char)(C.calloc(maxOptions, C.size_t(unsafe.Sizeof(text))))
	defer C.free(unsafe.Pointer(words))
	for i, o := range options {
		words[i] = C.CString(o)
		defer C.free(unsafe.Pointer(words[i]))
	}
	if err := c.check("nvrtcCompileProgram", C.rg_nvrtc_compile(&c.lib, program, C.int(len(options)), &words[0])); err != nil {
		return nil, fmt.Errorf("compiling kernels by %q with %s: %w: %s", c.path, strings.Join(options, " "), err, c.log(program))
	}
	var size C.size_t
	if err := c.check("nvrtcGetCUBINSize", C.rg_nvrtc_cubin_size(&c.lib, program, &size)); err != nil {
		return nil, err
	}
	code := make([]byte, max(int(size), 1))
	return code, c.check("nvrtcGetCUBIN", C.rg_nvrtc_cubin(&c.lib, program, (*C.char)(unsafe.Pointer(&code[0]))))
}

// log is the compiler's messages, in one line.
func (c *Compiler) log(program unsafe.Pointer) string {
	var size C.size_t
	if C.rg_nvrtc_log_size(&c.lib, program, &size) != 0 || size < 2 {
		return "no message"
	}
	text := make([]byte, int(size))
	if C.rg_nvrtc_log(&c.lib, program, (*C.char)(unsafe.Pointer(&text[0]))) != 0 {
		return "no message"
	}
	return strings.Join(strings.Fields(strings.TrimRight(string(text), "\x00")), " ")
}
