package repvgg

import (
	"testing"

	"repvgg/internal/model"
)

func TestFormOf(t *testing.T) {
	for _, c := range []struct {
		names []string
		form  model.Form
		ok    bool
	}{
		{[]string{"backbone.stem.branch_3x3.conv.weight", "head.fc.bias"}, model.Train, true},
		{[]string{"backbone.stem.branch_reparam.weight"}, model.Deploy, true},
		{[]string{"head.fc.bias"}, model.Train, false},
		{[]string{"backbone.stem.branch_reparam.weight", "backbone.stage_1.0.branch_3x3.conv.weight"}, model.Deploy, false},
	} {
		if form, ok := FormOf(c.names); form != c.form && c.ok || ok != c.ok {
			t.Errorf("%v: %v, %v", c.names, form, ok)
		}
	}
}
