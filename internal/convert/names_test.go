package convert

import "testing"

func TestNamesOfOthers(t *testing.T) {
	for name, want := range map[string]bool{
		"stage1.0.rbr_dense.conv.weight": true, "stage1.0.rbr_reparam.bias": true, "stages.0.0.conv_kxk.conv.weight": true, "stages.0.0.conv_1x1.bn.bias": true,
		"backbone.stage_1.0.branch_3x3.conv.weight": false, "head.fc.weight": false,
	} {
		if namedElsewhere(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
