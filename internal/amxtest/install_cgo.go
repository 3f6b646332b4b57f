//go:build cgo && linux && amd64

package amxtest

/*
#cgo CFLAGS: -Wall -O2
#include "emulator.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
)

var installed struct {
	sync.Mutex
	users int
}

// Install lets every thread of the process execute AMX instructions until
// restore is called. It may be called again before that: the last restore counts.
// It fails on systems other than Linux, on processors other than those with
// AVX2 and FMA, and in programs built without cgo.
func Install() (restore func(), err error) {
	if C.amx_supported() == 0 {
		return nil, errors.New("emulating AMX: the processor has no AVX2 and FMA")
	}
	installed.Lock()
	defer installed.Unlock()
	if installed.users == 0 {
		if status := C.amx_install(); status != 0 {
			return nil, fmt.Errorf("setting the handler of SIGILL: %w", syscall.Errno(status))
		}
	}
	installed.users++
	return sync.OnceFunc(uninstall), nil
}

func uninstall() {
	installed.Lock()
	defer installed.Unlock()
	installed.users--
	if installed.users == 0 {
		C.amx_restore() // cannot fail: the earlier handler was a valid one
	}
}

// Count is the number of instructions that were emulated since the start of the
// process.
func Count() int64 { return int64(C.amx_count()) }

// Configured is the number of threads whose tiles are in use: after an LDTILECFG
// and without a TILERELEASE.
func Configured() int64 { return int64(C.amx_configured()) }
