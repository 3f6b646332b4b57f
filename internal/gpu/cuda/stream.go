//go:build cgo && unix

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Stream is a queue of work for the device. Methods return when the work is
// queued, unless they say that they wait. A nil *Stream is closed.
type Stream struct {
	d      *Device
	handle C.rg_object
}

// NewStream makes a stream that does not wait for the default stream.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{d: d}
	if err := d.check("cuStreamCreate", C.rg_stream_create(&d.lib, &s.handle)); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the stream. A second call does nothing.
func (s *Stream) Close() {
	if s == nil {
		return
	}
	if s.handle != nil && s.d.lost == nil {
		_ = s.d.check("cuStreamDestroy", C.rg_stream_destroy(&s.d.lib, s.handle)) // see Device.Free
	}
	s.handle = nil
}

// Synchronize waits until all work of the stream is done.
func (s *Stream) Synchronize() error {
	return s.d.check("cuStreamSynchronize", C.rg_stream_synchronize(&s.d.lib, s.handle))
}

// Fill sets size bytes of device memory to a value.
func (s *Stream) Fill(dst Ptr, value byte, size int64) error {
	return s.d.check("cuMemsetD8Async", C.rg_set_bytes(&s.d.lib, C.rg_devptr(dst), C.uchar(value), C.size_t(size), s.handle))
}

// Upload copies data to the device and waits for it.
func (s *Stream) Upload(dst Ptr, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&data[0])
	if err := s.copyToDevice(dst, unsafe.Pointer(&data[0]), int64(len(data))); err != nil {
		return err
	}
	return s.Synchronize()
}

// Download copies data from the device and waits for it.
func (s *Stream) Download(dst []byte, src Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&dst[0])
	if err := s.copyToHost(unsafe.Pointer(&dst[0]), src, int64(len(dst))); err != nil {
		return err
	}
	return s.Synchronize()
}

// CopyToDevice copies the first size bytes of src.
func (s *Stream) CopyToDevice(dst Ptr, src *Pinned, size int64) error {
	return s.copyToDevice(dst, src.p, size)
}

// CopyToHost copies to the first size bytes of dst.
func (s *Stream) CopyToHost(dst *Pinned, src Ptr, size int64) error {
	return s.copyToHost(dst.p, src, size)
}

func (s *Stream) copyToDevice(dst Ptr, src unsafe.Pointer, size int64) error {
	return s.d.check("cuMemcpyHtoDAsync", C.rg_to_device(&s.d.lib, C.rg_devptr(dst), src, C.size_t(size), s.handle))
}

func (s *Stream) copyToHost(dst unsafe.Pointer, src Ptr, size int64) error {
	return s.d.check("cuMemcpyDtoHAsync", C.rg_to_host(&s.d.lib, dst, C.rg_devptr(src), C.size_t(size), s.handle))
}

// Record makes e the point that the stream has reached.
func (s *Stream) Record(e *Event) error {
	return s.d.check("cuEventRecord", C.rg_event_record(&s.d.lib, e.handle, s.handle))
}

// Wait lets the work that is queued from now on wait for e.
func (s *Stream) Wait(e *Event) error {
	return s.d.check("cuStreamWaitEvent", C.rg_stream_wait(&s.d.lib, s.handle, e.handle))
}

// Event is a point in the work of a stream. A nil *Event is closed.
type Event struct {
	d      *Device
	handle C.rg_object
}

// NewEvent makes an event; timed says that Since is called with it.
func (d *Device) NewEvent(timed bool) (*Event, error) {
	flags := C.uint(C.RG_EVENT_NO_TIMING)
	if timed {
		flags = C.RG_EVENT_TIMING
	}
	e := &Event{d: d}
	if err := d.check("cuEventCreate", C.rg_event_create(&d.lib, &e.handle, flags)); err != nil {
		return nil, err
	}
	return e, nil
}

// Close ends the event. A second call does nothing.
func (e *Event) Close() {
	if e == nil {
		return
	}
	if e.handle != nil && e.d.lost == nil {
		_ = e.d.check("cuEventDestroy", C.rg_event_destroy(&e.d.lib, e.handle)) // see Device.Free
	}
	e.handle = nil
}

// Synchronize waits until the work before the event is done.
func (e *Event) Synchronize() error {
	return e.d.check("cuEventSynchronize", C.rg_event_synchronize(&e.d.lib, e.handle))
}

// Since is the time in milliseconds from start to e, which both must be done.
func (e *Event) Since(start *Event) (milliseconds float64, err error) {
	var ms C.float
	err = e.d.check("cuEventElapsedTime", C.rg_event_elapsed(&e.d.lib, &ms, start.handle, e.handle))
	return float64(ms), err
}

// Graph is work that was captured from a stream and is launched as a whole. A nil
// *Graph is closed.
type Graph struct {
	d      *Device
	handle C.rg_object
}

// Capture records the work that issue queues in the stream, instead of doing it.
func (s *Stream) Capture(issue func() error) (*Graph, error) {
	d := s.d
	if err := d.check("cuStreamBeginCapture", C.rg_capture_begin(&d.lib, s.handle)); err != nil {
		return nil, err
	}
	failed := issue()
	var captured C.rg_object
	err := d.check("cuStreamEndCapture", C.rg_capture_end(&d.lib, s.handle, &captured)) // also after a failure
	if captured != nil {
		defer C.rg_graph_destroy(&d.lib, captured)
	}
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	g := &Graph{d: d}
	if err := d.check("cuGraphInstantiate", C.rg_graph_instantiate(&d.lib, &g.handle, captured)); err != nil {
		return nil, err
	}
	return g, nil
}

// Launch queues the work of a graph.
func (s *Stream) Launch(g *Graph) error {
	return s.d.check("cuGraphLaunch", C.rg_graph_launch(&s.d.lib, g.handle, s.handle))
}

// Close frees the graph, which must not be queued any more. A second call does
// nothing.
func (g *Graph) Close() {
	if g == nil {
		return
	}
	if g.handle != nil && g.d.lost == nil {
		_ = g.d.check("cuGraphExecDestroy", C.rg_graph_exec_destroy(&g.d.lib, g.handle)) // see Device.Free
	}
	g.handle = nil
}
