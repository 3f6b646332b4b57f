//go:build cgo && unix

package cuda

/*
#include "cudnn.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// CUDNN is cuDNN with a handle for one stream. It, and all that is made by it, is
// for one goroutine at a time.
type CUDNN struct {
	lib     C.struct_rg_cudnn
	path    string
	version uint64
	handle  unsafe.Pointer
	more    []*CUDNN // see Handles
}

// OpenCUDNN finds cuDNN. Call Preload before, so that its engines find the
// libraries that they need.
func OpenCUDNN(env Environment) (*CUDNN, error) {
	c := new(CUDNN)
	var err error
	c.path, err = load(&cudnnLibrary, env, func(name, msg *C.char) C.int { return C.rg_cudnn_open(name, &c.lib, msg) })
	if err != nil {
		return nil, fmt.Errorf("cuDNN 9 was not found (%w); pip install nvidia-cudnn-cu13 (or -cu12), or set %s to the file or its folder", err, cudnnVariable)
	}
	c.version = uint64(C.rg_cudnn_version(&c.lib))
	if c.version < 90000 {
		return nil, fmt.Errorf("%q is cuDNN %s; want cuDNN 9: set %s to the file or its folder", c.path, c.VersionName(), cudnnVariable)
	}
	return c, nil
}

// Version is the number that cudnnGetVersion returns: 91900 for 9.19.0.
func (c *CUDNN) Version() uint64 { return c.version }

// VersionName is the version as it is written: 9.19.0.
func (c *CUDNN) VersionName() string { return versionName(c.version) }

// Start makes the handle for a stream. The device's context must be current.
func (c *CUDNN) Start(s *Stream) error {
	if err := c.check("cudnnCreate", C.rg_cudnn_create(&c.lib, &c.handle)); err != nil {
		return fmt.Errorf("starting cuDNN %s: %w", c.VersionName(), err)
	}
	return c.check("cudnnSetStream", C.rg_cudnn_set_stream(&c.lib, c.handle, unsafe.Pointer(s.handle)))
}

// Handles are c and up to n-1 others with handles of their own, for as many
// goroutines. There are fewer if memory is short. Close ends them too.
func (c *CUDNN) Handles(n int, s *Stream) []*CUDNN {
	for len(c.more) < n-1 {
		other := &CUDNN{lib: c.lib, path: c.path, version: c.version}
		if err := other.Start(s); err != nil {
			other.Close(false)
			break
		}
		c.more = append(c.more, other)
	}
	return append([]*CUDNN{c}, c.more[:min(len(c.more), n-1)]...)
}

// Close ends the handle. lost says that the device is lost: then cuDNN is not
// called.
func (c *CUDNN) Close(lost bool) {
	for _, other := range c.more {
		other.Close(lost)
	}
	c.more = nil
	if c.handle != nil && !lost {
		_ = c.check("cudnnDestroy", C.rg_cudnn_destroy(&c.lib, c.handle)) // see Device.Free
	}
	c.handle = nil
}

// check makes an error of a status, with cuDNN's own explanation.
func (c *CUDNN) check(call string, code C.int) error {
	return status(libCUDNN, call, int(code), func(code int) string {
		text := C.GoString(C.rg_cudnn_error(&c.lib, C.int(code)))
		var msg message
		C.rg_cudnn_last_error(&c.lib, msg.c(), C.RG_MESSAGE)
		if detail := strings.Join(strings.Fields(msg.String()), " "); detail != "" {
			text += ": " + detail
		}
		return text
	})
}

// versionName is cudnnGetVersion's number as versions are written: 90100 is 9.1.0,
// 91900 is 9.19.0, 8906 is 8.9.6.
func versionName(v uint64) string {
	if v < 10000 {
		return fmt.Sprintf("%d.%d.%d", v/1000, v/100%10, v%100)
	}
	return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100)
}
