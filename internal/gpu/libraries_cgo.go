//go:build cgo && unix

package gpu

/*
#include "driver.h"
#include "nvrtc.h"
*/
import "C"

import "fmt"

func findLibraries(env environment) Libraries {
	var l Libraries
	// Of a missing driver nothing is known: what fits the newest is looked for.
	cuda := 13000
	d, path, err := loadDriver(env)
	l.Driver = Found{Path: path, Err: err}
	if err == nil {
		var version C.int
		if C.rg_driver_version(&d.d, &version) == 0 { // which needs no cuInit
			cuda = int(version)
			l.Driver.Version = driverVersion(cuda)
		}
	}
	if c, err := openCompiler(env, cuda); err != nil {
		l.NVRTC.Err = err
	} else {
		l.NVRTC.Path = c.path
		var major, minor C.int
		if C.rg_nvrtc_version(&c.c, &major, &minor) == 0 {
			l.NVRTC.Version = fmt.Sprintf("%d.%d", major, minor)
		}
	}
	if c, err := openCUDNN(env); err != nil {
		l.CUDNN.Err = err
	} else {
		l.CUDNN = Found{Path: c.path, Version: cudnnVersion(c.version)}
	}
	return l
}
