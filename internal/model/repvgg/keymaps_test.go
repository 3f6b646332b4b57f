package repvgg

import (
	"strings"
	"testing"

	"repvgg/internal/model"
)

// TestKeyMaps checks some names of each framework, and translates every name of
// networks with all kinds of parts there and back.
func TestKeyMaps(t *testing.T) {
	for _, c := range []struct{ mmcls, official, timm string }{
		{"backbone.stem.branch_3x3.conv.weight", "stage0.rbr_dense.conv.weight", "stem.conv_kxk.conv.weight"},
		{"backbone.stage_1.0.branch_norm.running_var", "stage1.0.rbr_identity.running_var", "stages.0.0.identity.running_var"},
		{"backbone.stage_3.13.branch_1x1.norm.bias", "stage3.13.rbr_1x1.bn.bias", "stages.2.13.conv_1x1.bn.bias"},
		{"backbone.stage_4.0.branch_reparam.bias", "stage4.0.rbr_reparam.bias", "stages.3.0.reparam_conv.bias"},
		{"backbone.stage_2.1.se_layer.conv2.conv.weight", "stage2.1.se.up.weight", "stages.1.1.attn.fc2.weight"},
		{"head.fc.weight", "linear.weight", "head.fc.weight"},
	} {
		if got, _ := Official.ToPlan(c.official); got != c.mmcls {
			t.Errorf("%s is read as %s", c.official, got)
		}
		if got, _ := Timm.ToPlan(c.timm); got != c.mmcls {
			t.Errorf("%s is read as %s", c.timm, got)
		}
		if got, _ := Official.ToFile(c.mmcls); got != c.official {
			t.Errorf("%s is written as %s", c.mmcls, got)
		}
		if got, _ := Timm.ToFile(c.mmcls); got != c.timm {
			t.Errorf("%s is written as %s", c.mmcls, got)
		}
	}
	plan, err := Variant("D2se", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for _, k := range KeyMaps() {
			seen := make(map[string]bool)
			for i, spec := range k.Specs(plan.As(form).Tensors()) {
				if seen[spec.Name] {
					t.Errorf("%s has %s twice", k.ID, spec.Name)
				}
				seen[spec.Name] = true
				want := plan.As(form).Tensors()[i].Name
				if k != MMClassification && spec.Name == want && !strings.HasPrefix(want, "head.") {
					t.Errorf("%s has no name of its own for %s", k.ID, want)
				}
				if got, ok := k.ToPlan(spec.Name); got != want || !ok {
					t.Errorf("%s of %s is read as %s, want %s", spec.Name, k.ID, got, want)
				}
			}
		}
	}
}

// TestForeignNames checks that no rule matches the name of a tensor that is not a
// RepVGG's.
func TestForeignNames(t *testing.T) {
	for _, name := range []string{
		"", "weight", "stage0", "stage0.weight", "stage0.0.rbr_dense.conv.weight", "stage1.rbr_dense.conv.weight",
		"stage01.0.rbr_dense.conv.weight", "stage1.+1.rbr_dense.conv.weight", "stage1.-1.rbr_dense.conv.weight",
		"stage1.blocks.0.rbr_dense.conv.weight", "stage3_first.blocks.0.rbr_dense.conv.weight",
		"stage99999999999999999999.0.rbr_dense.conv.weight", "stages.0.0.conv_kxk.conv.weight", "layer1.0.conv1.weight",
	} {
		if got, ok := Official.ToPlan(name); ok || got != name {
			t.Errorf("%q is read as %q", name, got)
		}
	}
}
