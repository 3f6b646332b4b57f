package repvgg

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/model"
)

// TestAssembleRefuses checks that the error names the wrong field of a config.
func TestAssembleRefuses(t *testing.T) {
	for _, c := range []struct {
		change      func(c *Config)
		field, want string
	}{
		{func(c *Config) { c.InChannels = 0 }, "in_channels", "got 0"},
		{func(c *Config) { c.BaseChannels = 1 << 20 }, "base_channels", "got 1048576"},
		{func(c *Config) { c.Eps = math.NaN() }, "norm_cfg.eps", "NaN"},
		{func(c *Config) { c.Arch.NumBlocks = nil }, "arch.num_blocks", "1 to 16 stages"},
		{func(c *Config) { c.Arch.WidthFactor = []float64{1} }, "arch.width_factor", "each of the 4 stages, got 1"},
		{func(c *Config) { c.Strides = nil }, "strides", "got 0"},
		{func(c *Config) { c.Dilations = []int{1, 1, 1, 0} }, "dilations", "[1 1 1 0]"},
		{func(c *Config) { c.OutIndices = []int{4} }, "out_indices", "0 to 3"},
		{func(c *Config) { c.Arch.NumBlocks[1] = 0 }, "arch.num_blocks", "positive"},
		{func(c *Config) { c.Arch.NumBlocks = []int{1000, 20, 20, 1} }, "arch.num_blocks", "at most 1024 blocks, got 1041"},
		{func(c *Config) { c.Arch.WidthFactor[2] = 1e9 }, "arch.width_factor", "stage 2"},
		{func(c *Config) { c.Strides = []int{2, 2, 17, 1} }, "strides", "17"},
		{func(c *Config) { c.Arch.StemChannels = -1 }, "arch.stem_channels", "-1"},
		{func(c *Config) { c.Arch.SE = &SE{} }, "arch.se_cfg", "positive ratio"},
		{func(c *Config) { c.Arch.GroupLayers = map[int]int{0: 2} }, "arch.group_layer_map", "{0: 2}"},
		{func(c *Config) { c.Arch.Name, c.Arch.GroupLayers = "", map[int]int{99: 2} }, "arch.group_layer_map", "block 99 does not exist: there are 21"},
		{func(c *Config) { c.Arch.GroupLayers = map[int]int{2: 5} }, "arch.group_layer_map", "5 groups do not divide"},
		{func(c *Config) { c.Classes = -1 }, "num_classes", "-1"},
	} {
		config := Default()
		var err error
		if config.Arch, err = NamedArch("A0"); err != nil {
			t.Fatal(err)
		}
		c.change(&config)
		_, err = Assemble(config)
		field, ok := errors.AsType[*FieldError](err)
		if !ok || field.Field != c.field || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s with %q", err, c.field, c.want)
		}
	}
	if _, err := Variant("Z9", 10); err == nil || !strings.Contains(err.Error(), "A0 A1 A2") {
		t.Errorf("an architecture that there is not: %v", err)
	}
}

// TestSqueezeChannels includes channels for which rounding would lose more than a
// tenth.
func TestSqueezeChannels(t *testing.T) {
	for _, c := range []struct{ ratio, divisor, channels, want int }{{16, 8, 64, 8}, {16, 1, 64, 4}, {11, 8, 128, 16}, {5, 4, 128, 24}} {
		if got := (SE{c.ratio, c.divisor}).squeezeChannels(c.channels); got != c.want {
			t.Errorf("%d channels by %d, a multiple of %d: %d, want %d", c.channels, c.ratio, c.divisor, got, c.want)
		}
	}
}

// TestModules compares with the modules that PyTorch registers for a network with
// squeeze-and-excitation.
func TestModules(t *testing.T) {
	c := Default()
	c.Classes = 10
	c.Arch = Arch{NumBlocks: []int{1, 1, 1, 1}, WidthFactor: []float64{1, 1, 1, 1}, SE: &SE{16, 8}, StemChannels: 64}
	p, err := Assemble(c)
	if err != nil {
		t.Fatal(err)
	}
	got := Family().Modules(p)
	for _, want := range []string{"", "backbone.stem.se_layer.conv2.activate", "backbone.stage_4", "backbone.stage_4.0.branch_reparam", "head.fc"} {
		if !slices.Contains(got, want) {
			t.Errorf("no module %q", want)
		}
	}
	if len(got) != 2+5*11+4+6 {
		t.Errorf("%d modules", len(got))
	}
	if p.Head = nil; slices.Contains(Family().Modules(p), "head") {
		t.Error("a network without a head has one")
	}
}

// TestIdentifyAdvises checks the advice for a checkpoint that does not fit its
// config.
func TestIdentifyAdvises(t *testing.T) {
	p, err := Variant("B1g4", 7)
	if err != nil {
		t.Fatal(err)
	}
	shapes := make(map[string][]int)
	for _, s := range p.As(model.Deploy).Tensors() {
		shapes[s.Name] = s.Shape
	}
	if got := Family().Identify(shapes); !strings.Contains(got, "arch='B1g4' and num_classes=7") {
		t.Errorf("got %q", got)
	}
	delete(shapes, "head.fc.weight")
	if got := Family().Identify(shapes); got != "" {
		t.Errorf("got %q of a network without a head", got)
	}
	if got := Family().Identify(map[string][]int{"stage1.blocks.0.rbr_dense.conv.weight": nil}); !strings.Contains(got, "RepVGGplus") {
		t.Errorf("got %q", got)
	}
}
