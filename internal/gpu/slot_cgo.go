//go:build cgo && unix

package gpu

/*
#include "driver.h"
*/
import "C"

import (
	"math"
	"slices"
	"unsafe"
)

// input is the images of a call: normalised values, N, C, H, W, or bytes, N, H,
// W, C.
type input struct {
	floats []float32
	bytes  []byte
	times  int // how often the network is run on them
}

func (in input) len() int { return len(in.floats) + len(in.bytes) }

// part is images from first on.
func (in input) part(first, n, perImage int) input {
	if in.bytes != nil {
		return input{bytes: in.bytes[first*perImage : (first+n)*perImage], times: in.times}
	}
	return input{floats: in.floats[first*perImage : (first+n)*perImage], times: in.times}
}

// size is the bytes to copy.
func (in input) size() int { return 4*len(in.floats) + len(in.bytes) }

// laid tells what lies in Runner.images: it is what Options.Resident knows a
// batch again by.
type laid struct {
	start unsafe.Pointer // of the caller's slice
	n     int
	key   programKey
}

func (in input) laid(n int, key programKey) laid {
	if in.bytes != nil {
		return laid{unsafe.Pointer(unsafe.SliceData(in.bytes)), n, key}
	}
	return laid{unsafe.Pointer(unsafe.SliceData(in.floats)), n, key}
}

// slot is a batch on its way: two of them let the copies of one overlap with
// the computation of the other.
type slot struct {
	in      pinned // what is sent
	sent    devptr // where it arrives
	size    int64  // of both
	results pinned
	flags   pinned
	copied  object // event: the images have arrived
	done    object // event: the results are here
	busy    bool
	n       int
	dst     []float32 // where the caller wants the results
	pending *pending  // of StartBytes, or nil
	raw     bool      // the images are bytes
	program *program
}

func (s *slot) create(r *Runner) (err error) {
	if s.copied, err = r.d.event(C.RG_EVENT_NO_TIMING); err != nil {
		return err
	}
	if s.done, err = r.d.event(C.RG_EVENT_NO_TIMING); err != nil {
		return err
	}
	s.flags, err = r.d.pin(int64(4 * r.plan.Depth))
	return err
}

func (s *slot) close(r *Runner) {
	r.d.unpin(&s.in)
	r.d.unpin(&s.results)
	r.d.unpin(&s.flags)
	r.d.free(&s.sent)
	r.d.destroyEvent(&s.copied)
	r.d.destroyEvent(&s.done)
}

// reserve makes room for images and results in bytes.
func (s *slot) reserve(r *Runner, images, results int64) (err error) {
	if images > s.size {
		r.d.unpin(&s.in)
		r.d.free(&s.sent)
		s.size = 0
		if s.in, err = r.d.pin(images); err != nil {
			return err
		}
		if s.sent, err = r.d.alloc(images); err != nil {
			r.d.unpin(&s.in)
			return err
		}
		s.size = images
	}
	if results > s.results.size || s.results.p == nil {
		r.d.unpin(&s.results)
		s.results, err = r.d.pin(results)
	}
	return err
}

// begin sends n images and puts their computation into the stream; the results
// will come to dst.
func (s *slot) begin(r *Runner, p *program, dst []float32, in input, n int) error {
	perImage := r.plan.OutLen(p.H, p.W)
	if err := s.reserve(r, int64(p.N)*int64(in.size()/n), int64(4*p.N*perImage)); err != nil {
		return err
	}
	s.n, s.program, s.raw = n, p, in.bytes != nil
	if now := in.laid(n, p.programKey); !r.opts.Resident || r.laid != now {
		r.laid = laid{} // until they lie there
		if err := s.send(r, in); err != nil {
			return err
		}
		if err := s.prepare(r); err != nil {
			return err
		}
		r.laid = now
	}
	if err := repeat(in.times, p.run); err != nil {
		return err
	}
	d := r.d
	if err := d.check("cuMemcpyDtoHAsync", C.rg_to_host(&d.d, s.results.p, p.results, C.size_t(4*n*perImage), r.compute)); err != nil {
		return err
	}
	if r.opts.CheckLayers {
		if err := d.check("cuMemcpyDtoHAsync", C.rg_to_host(&d.d, s.flags.p, p.flags, C.size_t(4*r.plan.Depth), r.compute)); err != nil {
			return err
		}
	}
	if err := d.record(s.done, r.compute); err != nil {
		return err
	}
	s.busy, s.dst = true, dst
	return nil
}

// send copies the images on the stream for that.
func (s *slot) send(r *Runner, in input) error {
	d := r.d
	if in.bytes != nil {
		copy(s.in.bytes(len(in.bytes)), in.bytes)
	} else {
		copy(s.in.floats(len(in.floats)), in.floats)
	}
	if err := d.check("cuMemcpyHtoDAsync", C.rg_to_device(&d.d, s.sent, s.in.p, C.size_t(in.size()), r.copies)); err != nil {
		return err
	}
	if err := d.record(s.copied, r.copies); err != nil {
		return err
	}
	return d.await(r.compute, s.copied)
}

// prepare brings the images into the layout of the first convolution, and clears
// what a smaller batch leaves of it.
func (s *slot) prepare(r *Runner) error {
	p, channels, padded := s.program, r.plan.InChannels, r.widths[0]
	area := p.H * p.W
	pixels := int64(s.n) * int64(area)
	row := int64(padded * r.precision.size())
	if rest := (int64(p.N)*int64(area) - pixels) * row; rest > 0 {
		if err := r.d.fill(r.images+devptr(pixels*row), 0, rest, r.compute); err != nil {
			return err
		}
	}
	if s.raw {
		return r.m.launch(imagesBytes, elements(pixels), r.compute, r.images, s.sent, r.table, pixels, channels, padded, r.opts.Reverse)
	}
	return r.m.launch(imagesFloat, elements(pixels), r.compute, r.images, s.sent, pixels, area, channels, padded)
}

// end waits for the results of a batch and looks for overflow.
func (s *slot) end(r *Runner) error {
	if !s.busy {
		return nil
	}
	s.busy = false
	err := s.collect(r)
	if s.pending != nil {
		s.pending.err = err
		s.pending.slot = nil
	}
	s.dst, s.pending = nil, nil // lets go of the caller's memory
	return err
}

func (s *slot) collect(r *Runner) error {
	if err := r.d.reached(s.done); err != nil {
		return err
	}
	copy(s.dst, s.results.floats(len(s.dst)))
	if r.opts.CheckLayers {
		return r.flagged(s.flags.floats(r.plan.Depth))
	}
	if r.precision == fp16 && slices.ContainsFunc(s.dst, notFinite) {
		return s.diagnose(r)
	}
	return nil
}

func notFinite(v float32) bool { return v-v != 0 }

// flagged is the error for the first layer whose flag is set. Flags are words
// that are 0 or not.
func (r *Runner) flagged(flags []float32) error {
	for i, v := range flags {
		if math.Float32bits(v) != 0 {
			return overflow(r.weights.layers[i].Name, r.precision)
		}
	}
	return nil
}

// diagnose runs the batch of a slot again, to find the layer whose results are
// not finite.
func (s *slot) diagnose(r *Runner) error {
	if err := r.drain(); err != nil {
		return err
	}
	p, d := s.program, r.d
	if err := s.prepare(r); err != nil {
		return err
	}
	if err := p.issue(true); err != nil {
		return err
	}
	if err := d.check("cuMemcpyDtoHAsync", C.rg_to_host(&d.d, s.flags.p, p.flags, C.size_t(4*r.plan.Depth), r.compute)); err != nil {
		return err
	}
	if err := d.synchronize(r.compute); err != nil {
		return err
	}
	if err := r.flagged(s.flags.floats(r.plan.Depth)); err != nil {
		return err
	}
	return overflow("head", r.precision)
}
