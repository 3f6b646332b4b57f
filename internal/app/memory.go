package app

import (
	"fmt"

	"repvgg/internal/cpu"
	"repvgg/internal/model"
)

// imageMemory is how many bytes images may take on their way to a network.
func imageMemory() int64 { return cpu.MachineMemory() / 2 }

// checkImage reports an image that would take more than that, as the network has it.
func checkImage(channels, height, width int) error {
	if bytes, most := 4*float64(channels)*float64(height)*float64(width), float64(imageMemory()); bytes > most {
		return fmt.Errorf("an image of %d x %d takes %.0f MB, more than the %.0f MB that are there for images: use smaller images", height, width, bytes/1e6, most/1e6)
	}
	return nil
}

// checkWeights reports a network that can't be held, before its weights are made.
func checkWeights(p *model.Plan) error {
	bytes := 0.0
	for _, spec := range p.Tensors() {
		bytes += 4 * float64(spec.Numel())
	}
	if memory := float64(cpu.MachineMemory()); bytes > memory/2 {
		return fmt.Errorf("the network's weights take %.0f MB, more than half of this machine's memory (%.0f MB)", bytes/1e6, memory/1e6)
	}
	return nil
}
