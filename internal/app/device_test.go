package app

import (
	"testing"

	"repvgg/internal/shard"
)

// TestGPUOfLaunchers checks which GPU each process of a launcher takes.
func TestGPUOfLaunchers(t *testing.T) {
	three := func() (int, error) { return 3, nil }
	for _, c := range []struct {
		group shard.Group
		count func() (int, error)
		want  int
	}{
		{shard.Group{World: 1}, nil, 7}, // --gpu-id
		{shard.Group{World: 8, Rank: 6, Local: 2}, three, 2},
		{shard.Group{World: 8, Rank: 4, Local: 4}, three, 1},
		{shard.Group{World: 2, Rank: 1, Local: 1}, func() (int, error) { return 0, nil }, 0},
	} {
		if got, err := (Device{CUDA: true, GPU: 7}).ofGroup(c.group, c.count); err != nil || got.GPU != c.want {
			t.Errorf("%+v: GPU %d, %v, want %d", c.group, got.GPU, err, c.want)
		}
	}
}
