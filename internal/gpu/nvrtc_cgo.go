//go:build cgo && unix

package gpu

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

// compiler is NVRTC.
type compiler struct {
	c    C.struct_rg_nvrtc
	path string
}

// openCompiler finds NVRTC. A driver need not run the code of a newer one than
// itself: cuda is the version of CUDA that it is of.
func openCompiler(env environment, cuda int) (*compiler, error) {
	c, l := new(compiler), nvrtcFor(cuda)
	var err error
	c.path, err = load(&l, env, func(name, msg *C.char) C.int { return C.rg_nvrtc_open(name, &c.c, msg) })
	if err != nil {
		return nil, fmt.Errorf("NVRTC was not found (%w); pip install nvidia-cuda-nvrtc, or set %s", err, nvrtcVariable)
	}
	return c, nil
}

func (c *compiler) check(call string, code C.int) error {
	return status(libNVRTC, call, int(code), func(code int) string { return C.GoString(C.rg_nvrtc_error(&c.c, C.int(code))) })
}

// compile gives the machine code for a device.
func (c *compiler) compile(source string, options []string) ([]byte, error) {
	text, name := C.CString(source), C.CString("kernels.cu")
	defer C.free(unsafe.Pointer(text))
	defer C.free(unsafe.Pointer(name))
	var program unsafe.Pointer
	if err := c.check("nvrtcCreateProgram", C.rg_nvrtc_create(&c.c, &program, text, name)); err != nil {
		return nil, err
	}
	defer C.rg_nvrtc_destroy(&c.c, program)
	words := (*[64]*C.char)(C.calloc(64, C.size_t(unsafe.Sizeof(text))))
	defer C.free(unsafe.Pointer(words))
	for i, o := range options {
		words[i] = C.CString(o)
		defer C.free(unsafe.Pointer(words[i]))
	}
	if err := c.check("nvrtcCompileProgram", C.rg_nvrtc_compile(&c.c, program, C.int(len(options)), &words[0])); err != nil {
		return nil, fmt.Errorf("compiling kernels by %q with %s: %w: %s", c.path, strings.Join(options, " "), err, c.log(program))
	}
	var size C.size_t
	if err := c.check("nvrtcGetCUBINSize", C.rg_nvrtc_cubin_size(&c.c, program, &size)); err != nil {
		return nil, err
	}
	code := make([]byte, max(int(size), 1))
	return code, c.check("nvrtcGetCUBIN", C.rg_nvrtc_cubin(&c.c, program, (*C.char)(unsafe.Pointer(&code[0]))))
}

// log is what the compiler said, in one line.
func (c *compiler) log(program unsafe.Pointer) string {
	var size C.size_t
	if C.rg_nvrtc_log_size(&c.c, program, &size) != 0 || size < 2 {
		return "no message"
	}
	text := make([]byte, int(size))
	if C.rg_nvrtc_log(&c.c, program, (*C.char)(unsafe.Pointer(&text[0]))) != 0 {
		return "no message"
	}
	return strings.Join(strings.Fields(strings.TrimRight(string(text), "\x00")), " ")
}
