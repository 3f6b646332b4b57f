//go:build cgo && unix

package cuda

/*
#include <stdlib.h>
#include "nvrtc.h"
*/
import "C"

import (
	"path/filepath"
	"unsafe"
)

// Preload opens the libraries that cuDNN and NVRTC open by name when an engine
// needs them: the dynamic linker finds a name that is loaded already, also where
// NVIDIA's Python packages keep it. cuDNN may ask for another version of NVRTC than
// OpenCompiler takes, so every version is opened. Each comes with its builtins,
// which NVRTC of CUDA 13 does not find by itself. A library that is missing is no
// error: only the engines that use it fail.
func Preload(env Environment) {
	for _, l := range []*library{&nvrtcLibrary, &cublasLtLibrary, &cublasLibrary} {
		for _, name := range l.names {
			one := *l
			one.names = []string{name}
			if l != &nvrtcLibrary {
				_, _ = load(&one, env, openAny)
				continue
			}
			var nvrtc C.struct_rg_nvrtc // the address of a function leads to the file
			path, err := load(&one, env, func(name, msg *C.char) C.int { return C.rg_nvrtc_open(name, &nvrtc, msg) })
			if err == nil {
				openBuiltins(path)
			}
		}
	}
}

// openBuiltins opens the builtins in the folder of an NVRTC, or of the file that
// it links to.
func openBuiltins(nvrtc string) {
	folders := []string{filepath.Dir(nvrtc)}
	if file, err := filepath.EvalSymlinks(nvrtc); err == nil {
		folders = append(folders, filepath.Dir(file))
	}
	for _, folder := range distinct(folders) {
		// Glob fails only for a bad pattern.
		files, _ := filepath.Glob(filepath.Join(escapeGlob(folder), "libnvrtc-builtins.so*"))
		for _, f := range files {
			var msg message
			c := C.CString(f)
			openAny(c, msg.c())
			C.free(unsafe.Pointer(c))
		}
	}
}
