package shard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"repvgg/internal/cleanup"
)

// poll is the interval at which the folder is checked.
const poll = 50 * time.Millisecond

// startTimeout is the time that a process waits for rank 0 to start.
const startTimeout = 10 * time.Minute

// Gathering is the exchange of results through a folder.
type Gathering struct {
	group Group
	dir   string
	// settled says that the folder, which rank 0 made, is gone.
	settled func()
}

// Join starts the exchange. Rank 0 makes the folder, and the others wait for it.
// The folder must not exist before, because it is removed at the end.
func (g Group) Join(ctx context.Context, dir string) (*Gathering, error) {
	if g.Rank == 0 {
		if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
			return nil, fmt.Errorf("gathering results: %w", err)
		}
		gathering := &Gathering{group: g, dir: dir}
		settled, err := cleanup.Do(func() { _ = gathering.remove() }, func() error { return os.Mkdir(dir, 0o777) })
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("the tmpdir %q already exists, perhaps left by a run that was killed; since it will be deleted after testing, delete it or choose another folder", dir)
		}
		if err != nil {
			return nil, fmt.Errorf("gathering results: %w", err)
		}
		gathering.settled = settled
		return gathering, nil
	}
	waiting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := g.wait(waiting, fmt.Sprintf("rank 0 to make the folder %q", dir), func() (bool, error) {
		_, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, fmt.Errorf("rank 0 has not made the folder %q within %v: is it running, and do both processes see the folder?", dir, startTimeout)
	}
	if err != nil {
		return nil, fmt.Errorf("waiting for rank 0 in %q: %w", dir, err)
	}
	return &Gathering{group: g, dir: dir}, nil
}

// patience is the time that a process waits before it gives a note.
const patience = 10 * time.Second

// wait calls done until it returns true. what describes what it waits for.
func (g *Group) wait(ctx context.Context, what string, done func() (bool, error)) error {
	noted := g.Note == nil
	for start := time.Now(); ; {
		if !noted && time.Since(start) > patience {
			g.Note("waiting for " + what)
			noted = true
		}
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}

func (g *Gathering) part(rank int) string { return filepath.Join(g.dir, fmt.Sprintf("part_%d", rank)) }
func (g *Gathering) fault(rank int) string {
	return filepath.Join(g.dir, fmt.Sprintf("error_%d", rank))
}

// Fail reports to rank 0 that this process has failed.
func (g *Gathering) Fail(cause error) {
	if g.group.Rank > 0 {
		// If this fails too, rank 0 waits until the launcher ends it.
		_ = writeWhole(g.fault(g.group.Rank), []byte(cause.Error()))
		return
	}
	_ = g.Close() // cause is the error to report
}

// Close removes the folder, if this is rank 0.
func (g *Gathering) Close() error {
	if g.group.Rank > 0 {
		return nil
	}
	err := g.remove()
	g.settled()
	return err
}

func (g *Gathering) remove() error {
	err := os.RemoveAll(g.dir)
	if parent := filepath.Dir(g.dir); filepath.Base(parent) == defaultParent {
		_ = os.Remove(parent) // fails if another run uses the folder
	}
	return err
}

// Gather collects the rows of all processes. rows are this process's rows of width
// values, for the samples in Indices(n). Rank 0 gets all n rows in order. The
// others get nil.
func (g *Gathering) Gather(ctx context.Context, rows []float32, width, n int) ([]float32, error) {
	if want := len(g.group.Indices(n)) * width; len(rows) != want {
		return nil, fmt.Errorf("gathering results: %d values of rank %d instead of %d", len(rows), g.group.Rank, want)
	}
	if g.group.Rank > 0 {
		return nil, g.send(rows)
	}
	all := make([]float32, n*width)
	for rank := range g.group.World {
		from := Group{Rank: rank, World: g.group.World}.Indices(n)
		if rank > 0 {
			var err error
			if rows, err = g.receive(ctx, rank, len(from)*width); err != nil {
				return nil, err
			}
		}
		for i, sample := range from {
			copy(all[sample*width:(sample+1)*width], rows[i*width:(i+1)*width])
		}
	}
	return all, nil
}

// send writes this process's rows.
func (g *Gathering) send(rows []float32) error {
	data := make([]byte, 0, 4*len(rows))
	for _, v := range rows {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	if err := writeWhole(g.part(g.group.Rank), data); err != nil {
		return fmt.Errorf("sending results: %w", err)
	}
	return nil
}

// writeWhole writes a file under a temporary name and renames it, so that a file
// that exists is complete. It does not sync, because the file need not survive a
// crash of the machine.
func writeWhole(path string, data []byte) error {
	if err := os.WriteFile(path+".tmp", data, 0o666); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func (g *Gathering) receive(ctx context.Context, rank, values int) ([]float32, error) {
	err := g.group.wait(ctx, fmt.Sprintf("the results of rank %d of %d in %q", rank, g.group.World, g.dir), func() (bool, error) {
		if cause, err := os.ReadFile(g.fault(rank)); err == nil {
			return false, fmt.Errorf("rank %d failed: %s", rank, cause)
		}
		_, err := os.Stat(g.part(rank))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("gathering results: %w", err)
	}
	data, err := os.ReadFile(g.part(rank))
	if err != nil {
		return nil, fmt.Errorf("gathering results: %w", err)
	}
	if len(data) != 4*values {
		return nil, fmt.Errorf("gathering results: rank %d sent %d values instead of %d; do all processes run the same version and arguments?", rank, len(data)/4, values)
	}
	rows := make([]float32, values)
	for i := range rows {
		rows[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return rows, nil
}
