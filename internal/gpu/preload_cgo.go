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
	open := func(name, msg *C.char) C.int { return C.rg_open(name, nil, 0, nil, msg) }
	for _, l := range []*library{&nvrtcLibrary, &cublasLtLibrary, &cublasLibrary} {
		for _, name := range l.names {
			one := *l
			one.names = []string{name}
			if l != &nvrtcLibrary {
				_, _ = load(&one, env, open)
				continue
			}
			var nvrtc C.struct_rg_nvrtc // its functions tell where it lies
			path, err := load(&one, env, func(name, msg *C.char) C.int { return C.rg_nvrtc_open(name, &nvrtc, msg) })
			if err != nil {
				continue
			}
			folders := []string{filepath.Dir(path)}
			if file, err := filepath.EvalSymlinks(path); err == nil {
				folders = append(folders, filepath.Dir(file)) // path may be a link from elsewhere
			}
			var builtins []string
			for _, folder := range distinct(folders) {
				// Glob fails only for a bad pattern.
				found, _ := filepath.Glob(filepath.Join(escapeGlob(folder), "libnvrtc-builtins.so*"))
				builtins = append(builtins, found...)
			}
			for _, b := range builtins {
				var msg message
				c := C.CString(b)
				open(c, msg.c())
				C.free(unsafe.Pointer(c))
			}
		}
	}
}
