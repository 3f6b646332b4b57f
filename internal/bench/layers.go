package bench

import (
	"context"

	"repvgg/internal/model"
)

// layerRuns is the number of runs for the times of layers, unless Options.Runs is
// lower.
const layerRuns = 10

// traceLayers measures the layers of a lane. Tracing takes a little time, so it has
// its own runs.
func (m *meter) traceLayers(ctx context.Context, l *lane) error {
	runs := layerRuns
	if m.Runs >= 0 {
		runs = min(runs, m.Runs)
	}
	if l.can.Trace == nil {
		return nil
	}
	l.can.Trace(true)
	defer l.can.Trace(false)
	start := m.now()
	done := 0
	for done < runs && (done == 0 || m.Runs >= 0 || m.now().Sub(start) <= m.Duration) {
		if _, err := m.run(ctx, l); err != nil {
			return err
		}
		done++
	}
	macs, err := layerMACs(l.Plan, l.Row.InputSize)
	if err != nil {
		return err
	}
	for _, t := range l.can.Layers() {
		layer := Layer{Name: t.Name, Algorithm: t.Algorithm, TimeMS: t.Time.Seconds() * 1e3 / float64(done)}
		if n, ok := macs[t.Name]; ok && t.Time > 0 {
			gflops := 2 * float64(n) * float64(l.Row.BatchSize) / 1e6 / layer.TimeMS
			layer.GFLOPSPerSecond = &gflops
		}
		l.layers = append(l.layers, layer)
	}
	return nil
}

// layerMACs returns the multiply-adds for one image of each block, and of "head".
func layerMACs(p *model.Plan, size int) (map[string]int64, error) {
	count, err := p.Count(size, size)
	if err != nil {
		return nil, err
	}
	macs := map[string]int64{"head": headMACs(p)}
	for i := range p.Blocks[:p.Depth] {
		macs[p.Blocks[i].Name] = count.Blocks[i].Total().MACs
	}
	return macs, nil
}
