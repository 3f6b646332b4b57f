package recipe

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/config"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
)

func mustNetwork(t *testing.T, name string, overrides ...string) *model.Plan {
	t.Helper()
	return mustRead(t, name, overrides...).Network
}

// TestParameters compares our counts with the number of trainable parameters that
// PyTorch counts for the original's models.
func TestParameters(t *testing.T) {
	for _, c := range []struct {
		name          string
		train, deploy int
	}{
		{"A0", 9108968, 8309384}, {"A1", 14092264, 12789864}, {"A2", 28210600, 25499944},
		{"B0", 15817960, 14339048}, {"B1", 57415016, 51829480}, {"B1g2", 45782376, 41360104}, {"B1g4", 39966056, 36125416},
		{"B2", 89022376, 80315112}, {"B2g4", 61758376, 55777512},
		{"B3", 123085288, 110960872}, {"B3g4", 83825128, 75626728}, {"D2se", 133334836, 120387572},
	} {
		for _, form := range []model.Form{model.Train, model.Deploy} {
			name, want := "repvgg-"+c.name, c.train
			if form == model.Deploy {
				name, want = name+"_deploy", c.deploy
			}
			p := mustNetwork(t, name)
			if p.Form != form {
				t.Errorf("%s is the %s form", name, p.Form)
			}
			got := 0
			for _, s := range p.Tensors() {
				if !strings.Contains(s.Name, ".running_") {
					got += s.Numel()
				}
			}
			if got != want {
				t.Errorf("%s has %d parameters, want %d", name, got, want)
			}
		}
	}
}

func TestStemAndGroups(t *testing.T) {
	a0 := mustNetwork(t, "repvgg-A0")
	if stem := a0.Blocks[0]; stem.Name != "backbone.stem" || stem.In != 3 || stem.Out != 48 || stem.Stride != 2 || len(stem.Branches) != 2 {
		t.Errorf("A0's stem is %+v", stem)
	}
	g4 := mustNetwork(t, "repvgg-B1g4")
	for i, b := range g4.Blocks {
		want := 1
		if i >= 2 && i <= 26 && i%2 == 0 {
			want = 4
		}
		if b.Groups != want {
			t.Errorf("block %d of B1g4 has %d groups, want %d", i, b.Groups, want)
		}
	}
	if h, w := a0.OutSize(224, 223); h != 7 || w != 7 {
		t.Errorf("A0 ends in %d x %d, want 7 x 7", h, w)
	}
}

// writeConfig writes a config whose backbone has the given arguments.
func writeConfig(t *testing.T, backbone string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cfg.py")
	text := "model = dict(type='ImageClassifier', neck=dict(type='GlobalAveragePooling'),\n" +
		"    head=dict(type='LinearClsHead', num_classes=10, in_channels=128),\n" +
		"    backbone=dict(type='RepVGG', " + backbone + "))\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const small = "arch=dict(num_blocks=[1, 2, 1, 1], width_factor=[.25, .25, .25, .25], group_layer_map=%, se_cfg=$)"

func arch(groups, se string) string {
	return strings.NewReplacer("%", groups, "$", se).Replace(small)
}

// TestSqueezeChannels compares with mmcv's make_divisible. The defaults are ratio
// 16 and divisor 8. If rounding loses more than a tenth, the result is one step
// higher.
func TestSqueezeChannels(t *testing.T) {
	for _, c := range []struct {
		se   string
		want []int // stem 16, then 16, 32, 32, 64, 128
	}{
		{"dict()", []int{8, 8, 8, 8, 8, 8}},
		{"dict(ratio=16, divisor=1)", []int{1, 1, 2, 2, 4, 8}},
		{"dict(ratio=4)", []int{8, 8, 8, 8, 16, 32}},
		// 16 // 5 = 3, 32 // 5 = 6, 64 // 5 = 12, 128 // 5 = 25 as multiples of 4.
		{"dict(ratio=5, divisor=4)", []int{4, 4, 8, 8, 12, 24}},
		// 128 // 9 = 14 is closer to 16 than to 8; 64 // 9 = 7 becomes 8.
		{"dict(ratio=9)", []int{8, 8, 8, 8, 8, 16}},
		// 128 // 11 = 11 rounds to 8, which loses more than a tenth, so it becomes 16.
		{"dict(ratio=11)", []int{8, 8, 8, 8, 8, 16}},
	} {
		p := mustNetwork(t, writeConfig(t, arch("None", c.se)))
		var got []int
		for _, b := range p.Blocks {
			got = append(got, b.SE.Channels)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("se_cfg=%s: squeezes to %v, want %v", c.se, got, c.want)
		}
	}
}

func TestArguments(t *testing.T) {
	p := mustNetwork(t, writeConfig(t, arch("{1: 16, 3: 2}", "None")+
		", in_channels=4, strides=(1, 2, 1, 2), dilations=(1, 2, 1, 1), norm_cfg=dict(type='SyncBN', eps=1e-3), deploy=True"))
	if p.Form != model.Deploy || p.InChannels != 4 || p.Depth != 6 {
		t.Errorf("plan %+v", p)
	}
	want := []model.Block{
		repvgg.NewBlock("backbone.stem", 4, 16, 2, 1, 1, 1e-3),
		repvgg.NewBlock("backbone.stage_1.0", 16, 16, 1, 1, 16, 1e-3),
		repvgg.NewBlock("backbone.stage_2.0", 16, 32, 2, 2, 1, 1e-3),
		repvgg.NewBlock("backbone.stage_2.1", 32, 32, 1, 2, 2, 1e-3),
		repvgg.NewBlock("backbone.stage_3.0", 32, 64, 1, 1, 1, 1e-3),
		repvgg.NewBlock("backbone.stage_4.0", 64, 128, 2, 1, 1, 1e-3),
	}
	if diff := cmp.Diff(want, p.Blocks); diff != "" {
		t.Error(diff)
	}
}

// TestOutIndices checks that the network stops at the last stage that the head
// uses. Later stages keep their tensors.
func TestOutIndices(t *testing.T) {
	p := mustNetwork(t, writeConfig(t, arch("None", "None")+", out_indices=(0, 2)"), "model.head.in_channels=64")
	if p.Depth != 5 || len(p.Blocks) != 6 {
		t.Errorf("depth %d of %d blocks, want 5 of 6", p.Depth, len(p.Blocks))
	}
}

// TestRefuses checks networks that are not supported. Each error names the place in
// the config.
func TestRefuses(t *testing.T) {
	for _, c := range []struct{ backbone, want string }{
		{"arch='Z9'", `model.backbone.arch: "Z9" is not one of the architectures A0`},
		{"arch=3", "model.backbone.arch: want the name of an architecture or a dict, got 3"},
		{"arch='A0', strides=(2, 2)", "model.backbone.strides: want one value for each of the 4 stages, got 2"},
		{"arch='A0', dilations=(1, 1, 1, 0)", "model.backbone.dilations: want positive dilations"},
		{"arch='A0', out_indices=(4, )", "model.backbone.out_indices: want stages from 0 to 3"},
		{"arch='A0', act_cfg=dict(type='GELU')", "model.backbone.act_cfg.type: want 'ReLU', got \"GELU\""},
		{"arch='A0', norm_cfg=dict(type='GN')", "only batch normalization can be fused"},
		{"arch='A0', norm_cfg=dict(type='BN', eps=-1)", "norm_cfg.eps"},
		{"arch='A0', add_ppf=True", "add_ppf"},
		{"arch='A0', conv_cfg=dict(type='DCN')", "conv_cfg.type"},
		{"arch='A0', base_channels=1000000000", "base_channels"},
		{arch("{3: 5}", "None"), "block 3 has 32 input and 32 output channels, which 5 groups do not divide"},
		{arch("{9: 2}", "None"), "block 9 does not exist"},
		{arch("None", "dict(ratio=0)"), "want positive ratio"},
		{arch("None", "dict(act_cfg=None)"), "act_cfg"},
		{"arch='A0'", "model.head.in_channels: the backbone has 1280 output channels, but the head takes 128"},
	} {
		_, err := Load(writeConfig(t, c.backbone), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "cfg.py") {
			t.Errorf("backbone %s: got error %v, want %q", c.backbone, err, c.want)
		}
	}
	for override, want := range map[string]string{
		"model.type=Detector":        `model.type: want "ImageClassifier", got "Detector"`,
		"model.backbone.type=ResNet": `model.backbone.type: want "RepVGG", got "ResNet"`,
		"model.neck.type=FPN":        `model.neck.type: want "GlobalAveragePooling", got "FPN"`,
		"model.head.type=Stacked":    `model.head.type: want "LinearClsHead", got "Stacked"`,
		"model.head.num_classes=0":   "model.head.num_classes",
	} {
		if _, err := Load("repvgg-A0", []string{override}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", override, err, want)
		}
	}
}

// TestZooConfigsAreEmbedded checks that the configs named in the published table
// exist.
func TestZooConfigsAreEmbedded(t *testing.T) {
	names := strings.Join(config.Embedded(), "\n") + "\n"
	for _, row := range repvgg.Zoo() {
		if !strings.Contains(names, row.TrainConfig+"\t") || !strings.Contains(names, row.DeployConfig+"\t") {
			t.Errorf("%s: no config %q or %q", row.Name, row.TrainConfig, row.DeployConfig)
		}
	}
}
