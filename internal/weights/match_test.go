package weights

import (
	"strings"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// TestMatchNamesTheConfig matches a checkpoint of one variant, and one of no
// variant, with the config of another.
func TestMatchNamesTheConfig(t *testing.T) {
	c := &checkpoint.File{Path: "a1.pth", Tensors: make(map[string]*checkpoint.Tensor)}
	for _, s := range testkit.Zoo(t, "A1", model.Train).Tensors() {
		c.Names = append(c.Names, s.Name)
		c.Tensors[s.Name] = &checkpoint.Tensor{Name: s.Name, View: tensor.View{Shape: s.Shape}}
	}
	b0 := testkit.Zoo(t, "B0", model.Train)
	if _, err := Match(c, b0); err == nil || !strings.HasSuffix(err.Error(), "and 81 more; it holds a RepVGG-A1 of 1000 classes: use a config with arch='A1' and num_classes=1000") {
		t.Errorf("got error %v", err)
	}
	c.Tensors["head.fc.weight"].Shape = []int{1000}
	if _, err := Match(c, b0); err == nil || !strings.HasSuffix(err.Error(), "use the config that the checkpoint was trained with") {
		t.Errorf("got error %v for a network that has no name", err)
	}
}
