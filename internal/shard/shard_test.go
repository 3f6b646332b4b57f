package shard

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestFromLauncher(t *testing.T) {
	for _, c := range []struct {
		launcher    string
		env         func(string) string
		rank, world int
		local       int
		dir, err    string
	}{
		{"none", env("RANK", "3"), 0, 1, 0, "", ""},
		{"pytorch", env("RANK", "3", "LOCAL_RANK", "1", "WORLD_SIZE", "4", "MASTER_ADDR", "127.0.0.1", "MASTER_PORT", "29500"), 3, 4, 1, ".dist_test/job_127.0.0.1_29500", ""},
		{"slurm", env("SLURM_PROCID", "0", "SLURM_NTASKS", "2", "SLURM_JOB_ID", "17", "SLURM_STEP_ID", "0", "SLURM_LOCALID", "5"), 0, 2, 5, ".dist_test/job_17_0", ""},
		{"mpi", env("PMI_RANK", "1", "PMI_SIZE", "2"), 1, 2, 1, "", ""},
		{"mpi", env("OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", "2", "OMPI_MCA_ess_base_jobid", "../x", "OMPI_COMM_WORLD_LOCAL_RANK", "0"), 1, 2, 0, ".dist_test/job_..-x", ""},
		{"pytorch", env(), 0, 0, 0, "", "RANK and WORLD_SIZE, but they are not set"},
		{"pytorch", env("RANK", "4", "WORLD_SIZE", "4"), 0, 0, 0, "", "not a rank and a number of processes"},
		{"pytorch", env("RANK", "x", "WORLD_SIZE", "4"), 0, 0, 0, "", "not a rank and a number of processes"},
		{"ssh", env(), 0, 0, 0, "", "choose from none pytorch slurm mpi"},
	} {
		g, err := FromLauncher(c.launcher, c.env)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got error %v, want %q", c.launcher, err, c.err)
			}
			continue
		}
		if err != nil || g.Rank != c.rank || g.World != c.world || g.Local != c.local {
			t.Errorf("%s: %+v, %v", c.launcher, g, err)
		}
		dir, err := g.Dir("")
		if c.dir != "" && filepath.ToSlash(dir) != c.dir || c.dir == "" && err == nil {
			t.Errorf("%s: folder %q, %v", c.launcher, dir, err)
		}
		if given, err := g.Dir("given"); given != "given" || err != nil {
			t.Errorf("%s: folder %q, %v", c.launcher, given, err)
		}
	}
}

// TestGather gathers for all small numbers of processes and samples.
func TestGather(t *testing.T) {
	const width = 3
	for world := 1; world <= 4; world++ {
		for n := range 10 {
			dir := filepath.Join(t.TempDir(), "a", "b")
			var all []float32
			var wg sync.WaitGroup
			for rank := range world {
				wg.Go(func() {
					g := Group{Rank: rank, World: world}
					exchange, err := g.Join(t.Context(), dir)
					if err != nil {
						t.Error(err)
						return
					}
					var rows []float32
					for _, i := range g.Indices(n) {
						rows = append(rows, float32(i), float32(i)*2, -float32(i))
					}
					got, err := exchange.Gather(t.Context(), rows, width, n)
					if err != nil {
						t.Error(err)
					}
					if rank == 0 {
						all = got
						if err := exchange.Close(); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			var want []float32
			for i := range n {
				want = append(want, float32(i), float32(i)*2, -float32(i))
			}
			if !slices.Equal(all, want) {
				t.Errorf("%d processes, %d samples: %v", world, n, all)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the folder is still there")
			}
		}
	}
}

func TestFailures(t *testing.T) {
	dir := t.TempDir()
	if _, err := (Group{World: 2}).Join(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("got error %v for a folder that exists", err)
	}
	fresh := filepath.Join(dir, "new")
	zero, err := Group{World: 2}.Join(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	one, err := Group{Rank: 1, World: 2}.Join(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	one.Fail(errors.New("image \"x.png\" is bad"))
	if _, err := zero.Gather(t.Context(), []float32{0}, 1, 2); err == nil || !strings.Contains(err.Error(), `rank 1 failed: image "x.png" is bad`) {
		t.Errorf("got error %v for a failed process", err)
	}
	zero.Fail(errors.New("x"))
	if _, err := os.Stat(fresh); err == nil {
		t.Error("the folder is still there")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := (Group{Rank: 1, World: 2}).Join(ctx, fresh); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v without rank 0", err)
	}
}
