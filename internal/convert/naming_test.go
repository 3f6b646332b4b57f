package convert

import (
	"testing"

	"repvgg/internal/model"
)

// TestNamings has some names of each framework, and translates every name of
// networks with all parts there and back.
func TestNamings(t *testing.T) {
	mmcls, official, timm := MMClassification, Official, Timm
	for _, c := range []struct{ mmcls, official, timm string }{
		{"backbone.stem.branch_3x3.conv.weight", "stage0.rbr_dense.conv.weight", "stem.conv_kxk.conv.weight"},
		{"backbone.stage_1.0.branch_norm.running_var", "stage1.0.rbr_identity.running_var", "stages.0.0.identity.running_var"},
		{"backbone.stage_3.13.branch_1x1.norm.bias", "stage3.13.rbr_1x1.bn.bias", "stages.2.13.conv_1x1.bn.bias"},
		{"backbone.stage_4.0.branch_reparam.bias", "stage4.0.rbr_reparam.bias", "stages.3.0.reparam_conv.bias"},
		{"backbone.stage_2.1.se_layer.conv2.conv.weight", "stage2.1.se.up.weight", "stages.1.1.attn.fc2.weight"},
		{"head.fc.weight", "linear.weight", "head.fc.weight"},
	} {
		if got := translate(c.official, official, mmcls); got != c.mmcls {
			t.Errorf("%s is read as %s", c.official, got)
		}
		if got := translate(c.timm, timm, mmcls); got != c.mmcls {
			t.Errorf("%s is read as %s", c.timm, got)
		}
		if got := translate(c.mmcls, mmcls, official); got != c.official {
			t.Errorf("%s is written as %s", c.mmcls, got)
		}
		if got := translate(c.mmcls, mmcls, timm); got != c.timm {
			t.Errorf("%s is written as %s", c.mmcls, got)
		}
	}
	plan := planOf(t, "repvgg-D2se")
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for _, n := range Namings {
			seen := make(map[string]bool)
			for i, spec := range n.Named(plan.As(form).Tensors()) {
				if seen[spec.Name] {
					t.Errorf("%s has %s twice", n.ID, spec.Name)
				}
				seen[spec.Name] = true
				want := plan.As(form).Tensors()[i].Name
				if n != mmcls && spec.Name == want && want != model.HeadWeight && want != model.HeadBias {
					t.Errorf("%s has no name of its own for %s", n.ID, want)
				}
				if got := translate(spec.Name, n, mmcls); got != want {
					t.Errorf("%s of %s is read as %s, want %s", spec.Name, n.ID, got, want)
				}
			}
		}
	}
}

// TestForeignNames leaves what is no tensor of a RepVGG as it is.
func TestForeignNames(t *testing.T) {
	for _, name := range []string{
		"", "weight", "stage0", "stage0.weight", "stage0.0.rbr_dense.conv.weight", "stage1.rbr_dense.conv.weight",
		"stage01.0.rbr_dense.conv.weight", "stage1.+1.rbr_dense.conv.weight", "stage1.-1.rbr_dense.conv.weight",
		"stage1.blocks.0.rbr_dense.conv.weight", "stage3_first.blocks.0.rbr_dense.conv.weight",
		"stage99999999999999999999.0.rbr_dense.conv.weight", "stages.0.0.conv_kxk.conv.weight", "layer1.0.conv1.weight",
	} {
		if got := translate(name, Official, MMClassification); got != name {
			t.Errorf("%q is read as %q", name, got)
		}
	}
}
