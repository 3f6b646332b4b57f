//go:build cgo && unix

package gpu

import (
	"math"
	"slices"

	"repvgg/internal/gpu/cuda"
)

// input is the images of a call: normalised values, N, C, H, W, or bytes, N, H,
// W, C.
type input struct {
	floats []float32
	bytes  []byte
	times  int // how often the network is run on them
}

func (in input) len() int { return len(in.floats) + len(in.bytes) }

// part is n images from first on.
func (in input) part(first, n, perImage int) input {
	if in.bytes != nil {
		return input{bytes: in.bytes[first*perImage : (first+n)*perImage], times: in.times}
	}
	return input{floats: in.floats[first*perImage : (first+n)*perImage], times: in.times}
}

// size is the number of bytes to copy.
func (in input) size() int { return 4*len(in.floats) + len(in.bytes) }

// batch identifies the images of a call, for Options.Resident: by the first value
// of the caller's slice, their number and the program.
type batch struct {
	first any // *float32 or *byte
	n     int
	key   programKey
}

func (in input) batch(n int, key programKey) batch {
	if in.bytes != nil {
		return batch{&in.bytes[0], n, key}
	}
	return batch{&in.floats[0], n, key}
}

// slot holds a batch from begin to end. There are two slots, so that the copies of
// one batch overlap with the computation of the other.
type slot struct {
	in      *cuda.Pinned // the images on the host
	sent    cuda.Ptr     // the images on the device
	size    int64        // of both, in bytes
	results *cuda.Pinned
	flags   *cuda.Pinned
	copied  *cuda.Event // the images are on the device
	done    *cuda.Event // the results are on the host
	busy    bool
	n       int
	dst     []float32 // the caller's results
	pending *pending  // of StartBytes, or nil
	raw     bool      // the images are bytes
	program *program
}

func (s *slot) create(r *Runner) (err error) {
	if s.copied, err = r.d.NewEvent(false); err != nil {
		return err
	}
	if s.done, err = r.d.NewEvent(false); err != nil {
		return err
	}
	s.flags, err = r.d.Pin(int64(4 * r.plan.Depth))
	return err
}

func (s *slot) close(d *cuda.Device) {
	s.in.Free()
	s.results.Free()
	s.flags.Free()
	d.Free(&s.sent)
	s.copied.Close()
	s.done.Close()
}

// reserve makes room for images and results, in bytes.
func (s *slot) reserve(d *cuda.Device, images, results int64) (err error) {
	if images > s.size {
		s.in.Free()
		d.Free(&s.sent)
		s.size = 0
		if s.in, err = d.Pin(images); err != nil {
			return err
		}
		if s.sent, err = d.Alloc(images); err != nil {
			s.in.Free()
			return err
		}
		s.size = images
	}
	if s.results == nil || results > s.results.Size() {
		s.results.Free()
		s.results, err = d.Pin(results)
	}
	return err
}

// begin copies n images and queues their computation. end brings the results to
// dst.
func (s *slot) begin(r *Runner, p *program, dst []float32, in input, n int) error {
	perImage := r.plan.OutLen(p.H, p.W)
	if err := s.reserve(r.d, int64(p.N)*int64(in.size()/n), int64(4*p.N*perImage)); err != nil {
		return err
	}
	s.n, s.program, s.raw = n, p, in.bytes != nil
	if now := in.batch(n, p.programKey); !r.opts.Resident || r.loaded != now {
		r.loaded = batch{} // if this fails, no batch is complete
		if err := s.send(r, in); err != nil {
			return err
		}
		if err := s.prepare(r); err != nil {
			return err
		}
		r.loaded = now
	}
	if err := repeat(in.times, p.run); err != nil {
		return err
	}
	if err := r.compute.CopyToHost(s.results, p.results, int64(4*n*perImage)); err != nil {
		return err
	}
	if r.opts.CheckLayers {
		if err := r.compute.CopyToHost(s.flags, p.flags, int64(4*r.plan.Depth)); err != nil {
			return err
		}
	}
	if err := r.compute.Record(s.done); err != nil {
		return err
	}
	s.busy, s.dst = true, dst
	return nil
}

// send copies the images in the stream for copies, and lets the stream for
// computing wait for them.
func (s *slot) send(r *Runner, in input) error {
	if in.bytes != nil {
		copy(s.in.Bytes(len(in.bytes)), in.bytes)
	} else {
		copy(s.in.Floats(len(in.floats)), in.floats)
	}
	if err := r.copies.CopyToDevice(s.sent, s.in, int64(in.size())); err != nil {
		return err
	}
	if err := r.copies.Record(s.copied); err != nil {
		return err
	}
	return r.compute.Wait(s.copied)
}

// prepare brings the images into the layout of the first convolution. A batch that
// is smaller than the program's is filled up with zeros.
func (s *slot) prepare(r *Runner) error {
	p, channels, padded := s.program, r.plan.InChannels, r.widths[0]
	area := p.H * p.W
	pixels := int64(s.n) * int64(area)
	row := int64(padded * r.precision.size())
	if rest := (int64(p.N)*int64(area) - pixels) * row; rest > 0 {
		if err := r.compute.Fill(r.images+cuda.Ptr(pixels*row), 0, rest); err != nil {
			return err
		}
	}
	if s.raw {
		return r.m.launch(r.compute, imagesBytes, elements(pixels), r.images, s.sent, r.table, pixels, channels, padded, r.opts.Reverse)
	}
	return r.m.launch(r.compute, imagesFloat, elements(pixels), r.images, s.sent, pixels, area, channels, padded)
}

// end waits for the batch, copies its results to the caller and looks for
// overflow. It does nothing if the slot is free.
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
	s.dst, s.pending = nil, nil // do not hold the caller's memory
	return err
}

func (s *slot) collect(r *Runner) error {
	if err := s.done.Synchronize(); err != nil {
		return err
	}
	copy(s.dst, s.results.Floats(len(s.dst)))
	if r.opts.CheckLayers {
		return r.flagged(s.flags.Floats(r.plan.Depth))
	}
	if r.precision == fp16 && slices.ContainsFunc(s.dst, notFinite) {
		return s.diagnose(r)
	}
	return nil
}

func notFinite(v float32) bool { return v-v != 0 }

// flagged is the error for the first layer whose flag is set. A flag is a word that
// is not 0.
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
	p := s.program
	if err := s.prepare(r); err != nil {
		return err
	}
	if err := p.issue(true); err != nil {
		return err
	}
	if err := r.compute.CopyToHost(s.flags, p.flags, int64(4*r.plan.Depth)); err != nil {
		return err
	}
	if err := r.compute.Synchronize(); err != nil {
		return err
	}
	if err := r.flagged(s.flags.Floats(r.plan.Depth)); err != nil {
		return err
	}
	return overflow("head", r.precision)
}
