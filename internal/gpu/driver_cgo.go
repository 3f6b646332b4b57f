//go:build cgo && unix

package gpu

/*
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "driver.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"
)

// devptr is an address of device memory.
type devptr = C.rg_devptr

// object is a handle of the driver's: a stream, an event, a graph.
type object = C.rg_object

// message is a text that C wrote, up to its zero.
type message [C.RG_MESSAGE]byte

func (m *message) c() *C.char { return (*C.char)(unsafe.Pointer(&m[0])) }

func (m *message) String() string {
	text, _, _ := bytes.Cut(m[:], []byte{0})
	return string(text)
}

// load opens a library by a C function that takes a name and a buffer for a
// message, and returns the path of the file.
func load(l *library, env environment, open func(name, message *C.char) C.int) (string, error) {
	var path string
	err := l.open(env, func(name string) error {
		var msg message
		c := C.CString(name)
		defer C.free(unsafe.Pointer(c))
		if open(c, msg.c()) != 0 {
			return errors.New(msg.String())
		}
		path = msg.String()
		return nil
	})
	return path, err
}

// device is a GPU with its primary context, which cuDNN shares.
type device struct {
	d          C.struct_rg_driver
	ordinal    C.int
	context    object
	name       string
	capability int // 90 is 9.0
	cuda       int // the version that the driver is of: 13000 is 13.0
	version    string
	// held are the live allocations in bytes.
	held map[devptr]int64
	// lost is the error after which nothing works any more.
	lost error
}

// Count is how many GPUs there are.
func Count() (int, error) {
	_, count, err := openDriver(hostEnvironment())
	if err != nil {
		return 0, fmt.Errorf("counting the GPUs: %w", err)
	}
	return count, nil
}

// loadDriver finds the driver, whose path it gives, and calls nothing of it.
func loadDriver(env environment) (d *device, path string, err error) {
	d = &device{held: make(map[devptr]int64)}
	wanted := driverLibrary
	if env.driver != "" {
		wanted = library{names: []string{env.driver}}
	}
	path, err = load(&wanted, env, func(name, msg *C.char) C.int { return C.rg_driver_open(name, &d.d, msg) })
	return d, path, err
}

// openDriver opens the driver and counts its GPUs, of which it opens none.
func openDriver(env environment) (d *device, count int, err error) {
	d, _, err = loadDriver(env)
	if err != nil {
		return nil, 0, fmt.Errorf("no NVIDIA driver was found (%w); install it, or use --device cpu", err)
	}
	if err := d.check("cuInit", C.rg_init(&d.d)); err != nil {
		return nil, 0, fmt.Errorf("no GPU can be used (%w); see nvidia-smi, or use --device cpu", err)
	}
	var n C.int
	err = d.check("cuDeviceGetCount", C.rg_device_count(&d.d, &n))
	return d, int(n), err
}

// openDevice opens the driver and a GPU.
func openDevice(env environment, ordinal int) (*device, error) {
	d, count, err := openDriver(env)
	if err != nil {
		return nil, err
	}
	if ordinal >= count {
		return nil, fmt.Errorf("there is no GPU %d: %d were found; see nvidia-smi, --gpu-id and CUDA_VISIBLE_DEVICES", ordinal, count)
	}
	if err := d.check("cuDeviceGet", C.rg_device_get(&d.d, &d.ordinal, C.int(ordinal))); err != nil {
		return nil, err
	}
	var name message
	if err := d.check("cuDeviceGetName", C.rg_device_name(&d.d, name.c(), C.RG_MESSAGE, d.ordinal)); err != nil {
		return nil, err
	}
	d.name = name.String()
	var major, minor, version C.int
	for attribute, value := range map[C.int]*C.int{C.RG_CAPABILITY_MAJOR: &major, C.RG_CAPABILITY_MINOR: &minor} {
		if err := d.check("cuDeviceGetAttribute", C.rg_device_attribute(&d.d, value, attribute, d.ordinal)); err != nil {
			return nil, err
		}
	}
	d.capability = 10*int(major) + int(minor)
	if err := d.check("cuDriverGetVersion", C.rg_driver_version(&d.d, &version)); err != nil {
		return nil, err
	}
	d.cuda, d.version = int(version), driverVersion(int(version))
	if err := d.check("cuDevicePrimaryCtxRetain", C.rg_context_retain(&d.d, &d.context, d.ordinal)); err != nil {
		return nil, err
	}
	return d, nil
}

// driverVersion is that of the kernel's module, or CUDA's if it does not say.
func driverVersion(cuda int) string {
	if data, err := os.ReadFile("/sys/module/nvidia/version"); err == nil {
		return strings.TrimSpace(string(data))
	}
	return fmt.Sprintf("CUDA %d.%d", cuda/1000, cuda%1000/10)
}

// status makes an error of what a call returned.
func (d *device) status(call string, code C.int) error {
	return status(libCUDA, call, int(code), func(code int) string {
		text := C.rg_error_string(&d.d, C.int(code))
		if text == nil {
			return ""
		}
		return C.GoString(text)
	})
}

// check is status, and remembers that the device is lost.
func (d *device) check(call string, code C.int) error {
	return d.noted(d.status(call, code))
}

// noted is an error, remembered if it says that the device is lost.
func (d *device) noted(err error) error {
	if !isLost(err) {
		return err
	}
	d.lost = fmt.Errorf("the GPU was lost: %w; start again, and see dmesg if it happens again", err)
	return d.lost
}

// enter binds the goroutine to a thread on which the context is current, until
// leave is called.
func (d *device) enter() (leave func(), err error) {
	if d.lost != nil {
		return nil, d.lost
	}
	leave, err = d.bind()
	return leave, d.noted(err)
}

// bind is enter for goroutines beside the one that has the Runner.
func (d *device) bind() (leave func(), err error) {
	runtime.LockOSThread()
	if err := d.status("cuCtxSetCurrent", C.rg_context_set(&d.d, d.context)); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return runtime.UnlockOSThread, nil
}

// close lets go of the context. All else must be freed before.
func (d *device) close() error {
	if d.context == nil {
		return nil
	}
	d.context = nil
	return d.check("cuDevicePrimaryCtxRelease", C.rg_context_release(&d.d, d.ordinal))
}

// alloc takes device memory.
func (d *device) alloc(size int64) (devptr, error) {
	var p devptr
	err := d.check("cuMemAlloc", C.rg_mem_alloc(&d.d, &p, C.size_t(max(size, alignment))))
	if err == nil {
		d.held[p] = size
	}
	return p, err
}

// free gives device memory back. It does nothing for 0, or when the device is
// lost.
func (d *device) free(p *devptr) {
	if *p != 0 && d.lost == nil {
		// What fails here shows in the next call.
		_ = d.check("cuMemFree", C.rg_mem_free(&d.d, *p))
	}
	delete(d.held, *p)
	*p = 0
}

// bytes is the device memory that is held.
func (d *device) bytes() int64 {
	total := int64(0)
	for _, size := range d.held {
		total += size
	}
	return total
}

// memory is how much of the device's is free, and how much there is.
func (d *device) memory() (free, total int64, err error) {
	var f, t C.size_t
	err = d.check("cuMemGetInfo", C.rg_mem_info(&d.d, &f, &t))
	return int64(f), int64(t), err
}

// pinned is host memory that the device copies from and to by itself.
type pinned struct {
	p    unsafe.Pointer
	size int64
}

func (d *device) pin(size int64) (pinned, error) {
	m := pinned{size: size}
	return m, d.check("cuMemHostAlloc", C.rg_host_alloc(&d.d, &m.p, C.size_t(max(size, 1))))
}

func (d *device) unpin(m *pinned) {
	if m.p != nil && d.lost == nil {
		_ = d.check("cuMemFreeHost", C.rg_host_free(&d.d, m.p)) // as in free
	}
	*m = pinned{}
}

func (m pinned) floats(n int) []float32 { return unsafe.Slice((*float32)(m.p), n) }
func (m pinned) bytes(n int) []byte     { return unsafe.Slice((*byte)(m.p), n) }

// upload copies data to the device and waits for it.
func (d *device) upload(dst devptr, data []byte, stream object) error {
	if len(data) == 0 {
		return nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&data[0])
	if err := d.check("cuMemcpyHtoDAsync", C.rg_to_device(&d.d, dst, unsafe.Pointer(&data[0]), C.size_t(len(data)), stream)); err != nil {
		return err
	}
	return d.synchronize(stream)
}

// download copies data from the device and waits for it.
func (d *device) download(dst []byte, src devptr, stream object) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&dst[0])
	if err := d.check("cuMemcpyDtoHAsync", C.rg_to_host(&d.d, unsafe.Pointer(&dst[0]), src, C.size_t(len(dst)), stream)); err != nil {
		return err
	}
	return d.synchronize(stream)
}

// fill sets size bytes.
func (d *device) fill(dst devptr, value byte, size int64, stream object) error {
	return d.check("cuMemsetD8Async", C.rg_set_bytes(&d.d, dst, C.uchar(value), C.size_t(size), stream))
}

func (d *device) synchronize(stream object) error {
	return d.check("cuStreamSynchronize", C.rg_stream_synchronize(&d.d, stream))
}

func (d *device) stream() (object, error) {
	var s object
	err := d.check("cuStreamCreate", C.rg_stream_create(&d.d, &s))
	return s, err
}

// event is a point in a stream.
func (d *device) event(flags C.uint) (object, error) {
	var e object
	err := d.check("cuEventCreate", C.rg_event_create(&d.d, &e, flags))
	return e, err
}

func (d *device) record(event, stream object) error {
	return d.check("cuEventRecord", C.rg_event_record(&d.d, event, stream))
}

// await lets a stream wait for an event.
func (d *device) await(stream, event object) error {
	return d.check("cuStreamWaitEvent", C.rg_stream_wait(&d.d, stream, event))
}

// reached waits for an event on the host.
func (d *device) reached(event object) error {
	return d.check("cuEventSynchronize", C.rg_event_synchronize(&d.d, event))
}

// milliseconds is the time between two events.
func (d *device) milliseconds(from, to object) (float64, error) {
	var ms C.float
	err := d.check("cuEventElapsedTime", C.rg_event_elapsed(&d.d, &ms, from, to))
	return float64(ms), err
}

// destroy ends streams, events and graphs, if they are.
func (d *device) destroyStream(s *object) {
	if *s != nil && d.lost == nil {
		_ = d.check("cuStreamDestroy", C.rg_stream_destroy(&d.d, *s)) // as in free
	}
	*s = nil
}

func (d *device) destroyEvent(e *object) {
	if *e != nil && d.lost == nil {
		_ = d.check("cuEventDestroy", C.rg_event_destroy(&d.d, *e)) // as in free
	}
	*e = nil
}

func (d *device) destroyGraph(exec *object) {
	if *exec != nil && d.lost == nil {
		_ = d.check("cuGraphExecDestroy", C.rg_graph_exec_destroy(&d.d, *exec)) // as in free
	}
	*exec = nil
}

// capture records what issue puts into a stream as a graph.
func (d *device) capture(stream object, issue func() error) (exec object, err error) {
	if err := d.check("cuStreamBeginCapture", C.rg_capture_begin(&d.d, stream)); err != nil {
		return nil, err
	}
	failed := issue()
	var graph object
	err = d.check("cuStreamEndCapture", C.rg_capture_end(&d.d, stream, &graph)) // due in any case
	if graph != nil {
		defer C.rg_graph_destroy(&d.d, graph)
	}
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	err = d.check("cuGraphInstantiate", C.rg_graph_instantiate(&d.d, &exec, graph))
	return exec, err
}
