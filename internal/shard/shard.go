// Package shard splits a data set among the processes of a launcher (torchrun,
// srun, mpirun), and gathers their results through a shared folder, as the
// original's multi_gpu_test does with --tmpdir.
package shard

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Launchers are the names of the supported launchers. "none" means a single
// process.
var Launchers = []string{"none", "pytorch", "slurm", "mpi"}

// Group is the group of processes of one run, and this process's place in it.
type Group struct {
	// Rank is the number of this process, from 0, among World processes. Rank 0 gathers
	// the results and prints them.
	Rank, World int
	// Local is the number of this process, from 0, among those on the same machine. It
	// is Rank if the launcher does not set it.
	Local int
	// Note, unless nil, is called during a long wait with a text that says what the
	// process waits for.
	Note func(text string)
	// job identifies the run among concurrent ones. It is empty if the launcher does
	// not name its job.
	job string
}

// variables are the environment variables that each launcher sets. The first pair
// that is set is used.
var variables = map[string]struct {
	rankAndSize [][2]string
	local       []string
	job         []string
}{
	// torch.distributed.launch and torchrun.
	"pytorch": {[][2]string{{"RANK", "WORLD_SIZE"}}, []string{"LOCAL_RANK"}, []string{"TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT"}},
	"slurm":   {[][2]string{{"SLURM_PROCID", "SLURM_NTASKS"}}, []string{"SLURM_LOCALID"}, []string{"SLURM_JOB_ID", "SLURM_STEP_ID"}},
	// Open MPI; MPICH, Intel MPI.
	"mpi": {[][2]string{{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}}, []string{"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"}, []string{"OMPI_MCA_ess_base_jobid", "PMI_JOBID"}},
}

// FromLauncher reads this process's place in the group from the environment.
func FromLauncher(launcher string, getenv func(string) string) (Group, error) {
	if launcher == "none" {
		return Group{World: 1}, nil
	}
	v, ok := variables[launcher]
	if !ok {
		return Group{}, fmt.Errorf("unknown launcher %q: choose from %s", launcher, strings.Join(Launchers, " "))
	}
	var job []string
	for _, name := range v.job {
		if value := getenv(name); value != "" {
			job = append(job, value)
		}
	}
	for _, names := range v.rankAndSize {
		rank, size := getenv(names[0]), getenv(names[1])
		if rank == "" && size == "" {
			continue
		}
		r, errRank := strconv.Atoi(rank)
		w, errSize := strconv.Atoi(size)
		if errRank != nil || errSize != nil || w < 1 || r < 0 || r >= w {
			return Group{}, fmt.Errorf("launcher %q: %s=%q and %s=%q are not a rank and a number of processes", launcher, names[0], rank, names[1], size)
		}
		g := Group{Rank: r, World: w, Local: r, job: strings.Join(job, "_")}
		for _, name := range v.local {
			if local, err := strconv.Atoi(getenv(name)); err == nil && local >= 0 {
				g.Local = local
				break
			}
		}
		return g, nil
	}
	return Group{}, fmt.Errorf("launcher %q sets %s and %s, but they are not set; start repvgg through it", launcher, v.rankAndSize[0][0], v.rankAndSize[0][1])
}

// Indices returns this process's share of n samples: every World-th, starting with
// Rank.
func (g Group) Indices(n int) []int {
	var own []int
	for i := g.Rank; i < n; i += g.World {
		own = append(own, i)
	}
	return own
}

// defaultParent is the parent of default folders, below the current folder, as in
// the original.
const defaultParent = ".dist_test"

// Dir returns the folder to gather through: tmpdir or, if it is empty, a folder
// named after the launcher's job.
func (g Group) Dir(tmpdir string) (string, error) {
	if tmpdir != "" {
		return tmpdir, nil
	}
	if g.job == "" {
		return "", errors.New("the launcher does not name its job: give a folder that all processes see and that does not exist yet, to gather the results through")
	}
	clean := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == 0 {
			return '-'
		}
		return r
	}, g.job)
	return filepath.Join(defaultParent, "job_"+clean), nil
}
