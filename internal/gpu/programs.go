//go:build cgo && unix

package gpu

import (
	"context"
	"fmt"
	"slices"

	"repvgg/internal/gpu/cuda"
)

// maxPrograms bounds how many sizes of batch are kept.
const maxPrograms = 4

// program is the one for n images, which is made if there is none. A program for
// more images of the same size will do: zeros fill it up.
func (r *Runner) program(ctx context.Context, n, h, w int) (*program, error) {
	var best *program
	for _, p := range r.programs {
		if p.H == h && p.W == w && p.N >= n && (best == nil || p.N < best.N) {
			best = p
		}
	}
	if best != nil {
		return best, nil
	}
	if err := r.drain(); err != nil { // batches that are computed use the arenas
		return nil, err
	}
	if len(r.programs) >= maxPrograms {
		r.programs[0].close()
		r.programs = slices.Delete(r.programs, 0, 1)
	}
	r.loaded = batch{} // the search overwrites images
	if err := r.reserve(n, h, w); err != nil {
		return nil, fmt.Errorf("making room for %d images of %dx%d: %w", n, h, w, err)
	}
	r.convolver.announce = fmt.Sprintf("choosing cuDNN's engines for batches of %d images of %dx%d, which can take a minute; the choice is kept", n, h, w)
	p, err := newProgram(ctx, r, programKey{n, h, w})
	if serr := r.convolver.choices.save(); serr != nil { // also the choices before an error
		r.note("%v", serr)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing batches of %d images of %dx%d: %w", n, h, w, err)
	}
	r.programs = append(r.programs, p)
	return p, nil
}

// reserve makes the arenas large enough. If they change, all programs are dropped,
// since they hold the old addresses.
func (r *Runner) reserve(n, h, w int) error {
	need, _, err := arenaSizes(r.plan, r.widths, n, h, w, r.precision.size())
	if err != nil {
		return err
	}
	if need.within(r.sizes) {
		return nil
	}
	r.dropPrograms()
	r.freeArenas()
	for _, b := range []struct {
		p    *cuda.Ptr
		size int64
	}{{&r.images, need.Images}, {&r.maps[0], need.Maps[0]}, {&r.maps[1], need.Maps[1]}, {&r.side, need.Side}} {
		if b.size == 0 { // side, in the deploy form; a map that no block has
			continue
		}
		if *b.p, err = r.d.Alloc(b.size); err != nil {
			r.freeArenas()
			return err
		}
	}
	r.sizes = need
	// Engines are timed before there are images. They get small numbers instead of
	// old contents: this byte repeated is one in every precision.
	return r.compute.Fill(r.images, 0x3d, need.Images)
}

func (r *Runner) dropPrograms() {
	for _, p := range r.programs {
		p.close()
	}
	r.programs = nil
}

func (r *Runner) freeArenas() {
	r.d.Free(&r.images)
	r.d.Free(&r.maps[0])
	r.d.Free(&r.maps[1])
	r.d.Free(&r.side)
	r.sizes, r.loaded = arenas{}, batch{}
}
