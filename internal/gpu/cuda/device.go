//go:build cgo && unix

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Device is a GPU with its primary context, which cuDNN shares. It, and all that
// is made by it, is for one goroutine at a time, between Enter and leave.
type Device struct {
	// Name is the GPU's, as the driver gives it.
	Name string
	// Capability is the compute capability: 90 is 9.0.
	Capability int
	// CUDA is the newest version of CUDA that the driver supports: 13000 is 13.0.
	CUDA int
	// Driver is the version of the driver.
	Driver string

	lib       C.struct_rg_driver
	ordinal   C.int
	context   C.rg_object
	allocated map[Ptr]int64 // sizes in bytes
	lost      error         // after it every call fails
}

// Count is the number of GPUs.
func Count(env Environment) (int, error) {
	_, count, err := openDriver(env)
	return count, err
}

// loadDriver loads the driver, without calling it.
func loadDriver(env Environment) (d *Device, path string, err error) {
	d = &Device{allocated: make(map[Ptr]int64)}
	wanted := driverLibrary
	if env.Driver != "" {
		wanted = library{names: []string{env.Driver}}
	}
	path, err = load(&wanted, env, func(name, msg *C.char) C.int { return C.rg_driver_open(name, &d.lib, msg) })
	return d, path, err
}

// openDriver loads the driver and counts the GPUs. It opens none of them.
func openDriver(env Environment) (d *Device, count int, err error) {
	d, _, err = loadDriver(env)
	if err != nil {
		return nil, 0, &UnavailableError{fmt.Errorf("no NVIDIA driver was found (%w); install it", err)}
	}
	if err := d.check("cuInit", C.rg_init(&d.lib)); err != nil {
		return nil, 0, &UnavailableError{fmt.Errorf("no GPU can be used (%w); see nvidia-smi", err)}
	}
	var n C.int
	err = d.check("cuDeviceGetCount", C.rg_device_count(&d.lib, &n))
	return d, int(n), err
}

// OpenDevice opens a GPU; ordinal counts from 0.
func OpenDevice(env Environment, ordinal int) (*Device, error) {
	d, count, err := openDriver(env)
	if err != nil {
		return nil, err
	}
	if ordinal >= count {
		return nil, fmt.Errorf("there is no GPU %d: %d were found, counted from 0; see nvidia-smi and CUDA_VISIBLE_DEVICES", ordinal, count)
	}
	if err := d.check("cuDeviceGet", C.rg_device_get(&d.lib, &d.ordinal, C.int(ordinal))); err != nil {
		return nil, err
	}
	var name message
	if err := d.check("cuDeviceGetName", C.rg_device_name(&d.lib, name.c(), C.RG_MESSAGE, d.ordinal)); err != nil {
		return nil, err
	}
	d.Name = name.String()
	var major, minor, version C.int
	for attribute, value := range map[C.int]*C.int{C.RG_CAPABILITY_MAJOR: &major, C.RG_CAPABILITY_MINOR: &minor} {
		if err := d.check("cuDeviceGetAttribute", C.rg_device_attribute(&d.lib, value, attribute, d.ordinal)); err != nil {
			return nil, err
		}
	}
	d.Capability = 10*int(major) + int(minor)
	if err := d.check("cuDriverGetVersion", C.rg_driver_version(&d.lib, &version)); err != nil {
		return nil, err
	}
	d.CUDA, d.Driver = int(version), driverVersion(int(version))
	if err := d.check("cuDevicePrimaryCtxRetain", C.rg_context_retain(&d.lib, &d.context, d.ordinal)); err != nil {
		return nil, err
	}
	return d, nil
}

// driverVersion is the version of the kernel module, or CUDA's where that is not
// known.
func driverVersion(cuda int) string {
	if data, err := os.ReadFile("/sys/module/nvidia/version"); err == nil {
		return strings.TrimSpace(string(data))
	}
	return fmt.Sprintf("CUDA %d.%d", cuda/1000, cuda%1000/10)
}

// status makes an error of the status that a call returned.
func (d *Device) status(call string, code C.int) error {
	return status(libCUDA, call, int(code), func(code int) string {
		text := C.rg_error_string(&d.lib, C.int(code))
		if text == nil {
			return ""
		}
		return C.GoString(text)
	})
}

// check is status; it also records that the device is lost.
func (d *Device) check(call string, code C.int) error {
	return d.record(d.status(call, code))
}

// record keeps an error that means that the device is lost, and returns the error
// that callers get.
func (d *Device) record(err error) error {
	if !IsLost(err) {
		return err
	}
	d.lost = fmt.Errorf("the GPU was lost: %w; start again, and see dmesg if it happens again", err)
	return d.lost
}

// Lost reports whether the device is lost: every later call fails.
func (d *Device) Lost() bool { return d.lost != nil }

// Enter binds the goroutine to a thread on which the context is current, until
// leave is called.
func (d *Device) Enter() (leave func(), err error) {
	if d.lost != nil {
		return nil, d.lost
	}
	leave, err = d.Bind()
	return leave, d.record(err)
}

// Bind is Enter for other goroutines than the one that uses the device. They may
// use handles of cuDNN.
func (d *Device) Bind() (leave func(), err error) {
	runtime.LockOSThread()
	if err := d.status("cuCtxSetCurrent", C.rg_context_set(&d.lib, d.context)); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return runtime.UnlockOSThread, nil
}

// Close releases the context. All that was made in it must be closed before. A
// second call does nothing.
func (d *Device) Close() error {
	if d.context == nil {
		return nil
	}
	d.context = nil
	return d.check("cuDevicePrimaryCtxRelease", C.rg_context_release(&d.lib, d.ordinal))
}

// Open reports whether the device has a context: Close has not been called.
func (d *Device) Open() bool { return d.context != nil }
