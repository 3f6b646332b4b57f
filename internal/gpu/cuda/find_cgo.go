//go:build cgo && unix

package cuda

/*
#include "driver.h"
#include "nvrtc.h"
*/
import "C"

import "fmt"

// FindLibraries searches for the libraries, in a few milliseconds. It starts no
// GPU, so that also with all of them found there may be none.
func FindLibraries(env Environment) Libraries {
	var l Libraries
	// Without a driver the newest NVRTC is searched for.
	cuda := 13000
	d, path, err := loadDriver(env)
	l.Driver = Found{Path: path, Err: err}
	if err == nil {
		var version C.int
		if C.rg_driver_version(&d.lib, &version) == 0 { // needs no cuInit
			cuda = int(version)
			l.Driver.Version = driverVersion(cuda)
		}
	}
	if c, err := OpenCompiler(env, cuda); err != nil {
		l.NVRTC.Err = err
	} else {
		l.NVRTC.Path = c.path
		var major, minor C.int
		if C.rg_nvrtc_version(&c.lib, &major, &minor) == 0 {
			l.NVRTC.Version = fmt.Sprintf("%d.%d", major, minor)
		}
	}
	if c, err := OpenCUDNN(env); err != nil {
		l.CUDNN.Err = err
	} else {
		l.CUDNN = Found{Path: c.path, Version: c.VersionName()}
	}
	return l
}
