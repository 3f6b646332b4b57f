package repvgg

import (
	"fmt"
	"slices"
	"strings"
)

// Arch is the architecture of a RepVGG backbone: the value of the config's `arch`,
// given by name or spelled out.
type Arch struct {
	// Name is empty unless the architecture is a published one.
	Name string
	// NumBlocks is the number of blocks of each stage. The stem is not counted.
	NumBlocks []int
	// WidthFactor multiplies the channels of each stage: 64, 128, 256, 512.
	WidthFactor []float64
	// GroupLayers maps the index of a block to its number of groups. The stem has index
	// 0.
	GroupLayers map[int]int
	// SE is nil if there is no squeeze-and-excitation.
	SE *SE
	// StemChannels bounds the number of channels of the stem.
	StemChannels int
}

// SE is mmcv's se_cfg: squeeze to channels / Ratio, rounded to a multiple of
// Divisor.
type SE struct {
	Ratio   int
	Divisor int
}

// DefaultStemChannels is the usual StemChannels.
const DefaultStemChannels = 64

// groupLayers gives every second block from 2 to 26 the same number of groups, as
// in all published g2 and g4 variants.
func groupLayers(groups int) map[int]int {
	m := make(map[int]int)
	for i := 2; i <= 26; i += 2 {
		m[i] = groups
	}
	return m
}

// NamedArch returns the architecture of a published variant, A0 to B3g4 or D2se,
// from table 2 of the paper and the authors' code.
func NamedArch(name string) (Arch, error) {
	base, groups := name, map[int]int(nil)
	switch {
	case strings.HasSuffix(name, "g2"):
		base, groups = strings.TrimSuffix(name, "g2"), groupLayers(2)
	case strings.HasSuffix(name, "g4"):
		base, groups = strings.TrimSuffix(name, "g4"), groupLayers(4)
	}
	shallow, deep := []int{2, 4, 14, 1}, []int{4, 6, 16, 1}
	arch := Arch{Name: name, GroupLayers: groups, StemChannels: DefaultStemChannels}
	switch base {
	case "A0":
		arch.NumBlocks, arch.WidthFactor = shallow, []float64{0.75, 0.75, 0.75, 2.5}
	case "A1":
		arch.NumBlocks, arch.WidthFactor = shallow, []float64{1, 1, 1, 2.5}
	case "A2":
		arch.NumBlocks, arch.WidthFactor = shallow, []float64{1.5, 1.5, 1.5, 2.75}
	case "B0":
		arch.NumBlocks, arch.WidthFactor = deep, []float64{1, 1, 1, 2.5}
	case "B1":
		arch.NumBlocks, arch.WidthFactor = deep, []float64{2, 2, 2, 4}
	case "B2":
		arch.NumBlocks, arch.WidthFactor = deep, []float64{2.5, 2.5, 2.5, 5}
	case "B3":
		arch.NumBlocks, arch.WidthFactor = deep, []float64{3, 3, 3, 5}
	case "D2se":
		arch.NumBlocks, arch.WidthFactor = []int{8, 14, 24, 1}, []float64{2.5, 2.5, 2.5, 5}
		arch.SE = &SE{Ratio: 16, Divisor: 1}
	}
	if arch.NumBlocks == nil || !slices.Contains(ArchNames(), name) {
		return Arch{}, fmt.Errorf("%q is not one of the architectures %s; write any other as arch=dict(num_blocks=..., width_factor=..., group_layer_map=..., se_cfg=...)",
			name, strings.Join(ArchNames(), " "))
	}
	return arch, nil
}

// ArchNames returns the names of architectures that a config can use.
func ArchNames() []string {
	return []string{"A0", "A1", "A2", "B0", "B1", "B1g2", "B1g4", "B2", "B2g2", "B2g4", "B3", "B3g2", "B3g4", "D2se"}
}

// squeezeChannels is mmcv's make_divisible(channels // ratio, divisor): the nearest
// multiple of divisor, or the next one if that loses more than a tenth of the
// channels.
func (s SE) squeezeChannels(channels int) int {
	want := channels / s.Ratio
	got := max(s.Divisor, (want+s.Divisor/2)/s.Divisor*s.Divisor)
	if float64(got) < 0.9*float64(want) {
		got += s.Divisor
	}
	return got
}
