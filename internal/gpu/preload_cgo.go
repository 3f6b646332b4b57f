//go:build cgo && unix

package gpu

/*
#include <stdlib.h>
#include "nvrtc.h"
*/
import "C"

import (
	"path/filepath"
	"unsafe"
)

// preload opens what cuDNN and NVRTC open by name when they need it, from where
// NVIDIA's packages have it: the dynamic linker then knows the name. cuDNN may ask
// for another version of NVRTC than ours, so every one that is there is opened,
// each with its builtins, which those of CUDA 13 do not find themselves. What is
// missing is missed only by the engines that use it.
func preload(env environment) {
	for _, l := range []*library{&nvrtcLibrary, &cublasLtLibrary, &cublasLibrary} {
		for _, name := range l.names {
			one := *l
			one.names = []string{name}
			if l != &nvrtcLibrary {
				_, _ = load(&one, env, openAny)
				continue
			}
			var nvrtc C.struct_rg_nvrtc // its functions tell where it lies
			path, err := load(&one, env, func(name, msg *C.char) C.int { return C.rg_nvrtc_open(name, &nvrtc, msg) })
			if err == nil {
				openBuiltins(path)
			}
		}
	}
}

// openBuiltins opens what lies beside an NVRTC, or beside what is linked to.
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

func openAny(name, msg *C.char) C.int { return C.rg_open(name, nil, 0, nil, msg) }
