package kernel

import (
	"slices"

	"repvgg/internal/model"
)

// shape is a convolution as the packing of its weights sees it.
type shape struct{ model.Conv }

// Panels is the number of panels of 16 output channels: the unit in which weights
// are packed, and in which work is divided by channels.
func (s shape) Panels() int { return ceilDiv(s.Out, Lanes) }

// run is neighbouring panels that read the same blocks of the input: those of all
// groups that a panel has channels of. Weights between groups are zeros. A
// depthwise convolution, whose groups have one channel, thus does 16 times the
// products that it needs; it has no kernel of its own yet.
type run struct {
	panel0, panel1 int // [panel0, panel1)
	block0, blocks int // of the input
	// at is where the first panel's weights are, in units of a panel's weights for
	// one block.
	at int
}

// runs are those of a convolution, for blocks of so many channels.
func (s shape) runs(channels int) []run {
	outs, ins := s.Out/s.Groups, s.In/s.Groups
	var all []run
	total := 0
	for p := range s.Panels() {
		first, last := p*Lanes/outs, (min((p+1)*Lanes, s.Out)-1)/outs // groups
		block0 := first * ins / channels
		blocks := ceilDiv((last+1)*ins, channels) - block0
		if n := len(all) - 1; n >= 0 && all[n].blocks == blocks && all[n].block0 == block0 {
			all[n].panel1++
		} else {
			all = append(all, run{panel0: p, panel1: p + 1, block0: block0, blocks: blocks, at: total})
		}
		total += blocks
	}
	return all
}

// runOf is the run that has a panel.
func runOf(runs []run, panel int) run {
	return runs[slices.IndexFunc(runs, func(r run) bool { return panel < r.panel1 })]
}

// unit is the number of the first of a panel's weights, in the units of at.
func (r run) unit(panel int) int { return r.at + (panel-r.panel0)*r.blocks }

// units is how many of them all runs have.
func units(runs []run) int {
	last := runs[len(runs)-1]
	return last.unit(last.panel1)
}
