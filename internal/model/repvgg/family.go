// Package repvgg describes the RepVGG networks (Ding et al., "RepVGG: Making
// VGG-style ConvNets Great Again", 2021). It has the published architectures,
// assembles a network from an architecture, and knows the frameworks' tensor names
// and the published figures of each variant.
package repvgg

import (
	"fmt"
	"strings"

	"repvgg/internal/model"
)

// The key maps of the supported frameworks. Plans have MMClassification's names.
var (
	MMClassification = newKeyMap("mmcls", "MMClassification",
		[]string{"backbone.stem", "backbone.stage_{1}.{}"}, "head.fc",
		"branch_3x3.conv", "branch_3x3.norm", "branch_1x1.conv", "branch_1x1.norm", "branch_norm",
		"branch_reparam", "se_layer.conv1.conv", "se_layer.conv2.conv")
	Official = newKeyMap("official", "the official RepVGG code",
		[]string{"stage0", "stage{1}.{}"}, "linear",
		"rbr_dense.conv", "rbr_dense.bn", "rbr_1x1.conv", "rbr_1x1.bn", "rbr_identity",
		"rbr_reparam", "se.down", "se.up")
	Timm = newKeyMap("timm", "timm",
		[]string{"stem", "stages.{}.{}"}, "head.fc",
		"conv_kxk.conv", "conv_kxk.bn", "conv_1x1.conv", "conv_1x1.bn", "identity",
		"reparam_conv", "attn.fc1", "attn.fc2")
)

// KeyMaps returns all key maps, the default first.
func KeyMaps() []*model.KeyMap { return []*model.KeyMap{MMClassification, Official, Timm} }

// newKeyMap returns the key map of a framework. blocks are the paths of the stem
// and of the other blocks. parts are the modules of a block, in the order of
// planParts.
func newKeyMap(id, owner string, blocks []string, head string, parts ...string) *model.KeyMap {
	planBlocks := []string{"backbone.stem", "backbone.stage_{1}.{}"}
	planParts := []string{
		branch3x3 + ".conv", branch3x3 + ".norm", branch1x1 + ".conv", branch1x1 + ".norm", branchNorm,
		reparam, seLayer + ".conv1.conv", seLayer + ".conv2.conv",
	}
	k := &model.KeyMap{ID: id, Owner: owner}
	for i, block := range blocks {
		for j, part := range parts {
			k.Rules = append(k.Rules, model.Rule{Plan: planBlocks[i] + "." + planParts[j], File: block + "." + part})
		}
	}
	k.Common = []model.Rule{{Plan: "head.fc", File: head}}
	return k
}

// Family returns the family of the plans that Assemble returns.
func Family() *model.Family { return &family }

var family = model.Family{
	Name:    "RepVGG",
	KeyMaps: KeyMaps(),
	Identify: func(shapes map[string][]int) string {
		if isRepVGGplus(shapes) {
			return "it holds a RepVGGplus, a network that is not supported; RepVGG-A0 to B3g4 and D2se are"
		}
		arch, classes, ok := Identify(shapes)
		if !ok {
			return ""
		}
		return fmt.Sprintf("it holds a RepVGG-%s of %d classes: use a config with arch='%s' and num_classes=%d", arch, classes, arch, classes)
	},
	Modules: modules,
}

// FormOf returns the form of the blocks in a state dict, whose names are those in
// plans. ok is false if it has blocks of neither form, or of both.
func FormOf(names []string) (form model.Form, ok bool) {
	var train, deploy bool
	for _, name := range names {
		train = train || strings.Contains(name, "."+branch3x3+".")
		deploy = deploy || strings.Contains(name, "."+reparam+".")
	}
	if deploy {
		form = model.Deploy
	}
	return form, train != deploy
}

// isRepVGGplus looks for blocks that only RepVGGplus of the official code has.
func isRepVGGplus(shapes map[string][]int) bool {
	for name := range shapes {
		if strings.HasPrefix(name, "stage") && strings.Contains(name, ".blocks.") && strings.Contains(name, ".rbr_") {
			return true
		}
	}
	return false
}

// modules returns the paths of the modules of MMClassification's network in its
// deploy form.
func modules(p *model.Plan) []string {
	paths := []string{"", "backbone"}
	stage := ""
	for i := range p.Blocks {
		b := &p.Blocks[i]
		if parent := b.Name[:strings.LastIndexByte(b.Name, '.')]; parent != "backbone" && parent != stage {
			stage = parent
			paths = append(paths, stage)
		}
		paths = append(paths, b.Name)
		if b.SE != nil {
			for _, part := range []string{"", ".global_avgpool",
				".conv1", ".conv1.conv", ".conv1.activate", ".conv2", ".conv2.conv", ".conv2.activate"} {
				paths = append(paths, b.Name+"."+b.SE.Name+part)
			}
		}
		paths = append(paths, b.Name+".act", b.Name+"."+reparam)
	}
	if p.Head != nil {
		paths = append(paths, "neck", "neck.gap", "head", "head.compute_loss", "head.compute_accuracy", "head.fc")
	}
	return paths
}
