package repvgg

import (
	"maps"
	"slices"
	"testing"

	"repvgg/internal/model"
)

// TestIdentify checks that every named architecture is identified in both forms,
// and that none is if a tensor is missing, superfluous or misshapen.
func TestIdentify(t *testing.T) {
	for _, name := range ArchNames() {
		c := Default()
		c.Classes = 7
		var err error
		if c.Arch, err = NamedArch(name); err != nil {
			t.Fatal(err)
		}
		p, err := Assemble(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []model.Form{model.Train, model.Deploy} {
			shapes := map[string][]int{"backbone.stem.branch_1x1.norm.num_batches_tracked": nil}
			for _, s := range p.As(form).Tensors() {
				shapes[s.Name] = s.Shape
			}
			if arch, classes, ok := Identify(shapes); arch != name || classes != 7 || !ok {
				t.Errorf("%s in its %s form is said to be %q with %d classes (%v)", name, form, arch, classes, ok)
			}
			some := p.As(form).Tensors()[3]
			for _, wrong := range []struct {
				name  string
				shape []int
			}{{some.Name, nil}, {some.Name, append(slices.Clone(some.Shape), 2)}, {"another", []int{1}}} {
				other := maps.Clone(shapes)
				if other[wrong.name] = wrong.shape; wrong.shape == nil {
					delete(other, wrong.name)
				}
				if arch, _, ok := Identify(other); ok {
					t.Errorf("%s with shape %v of %s is said to be %s", name, wrong.shape, wrong.name, arch)
				}
			}
		}
	}
	if _, _, ok := Identify(nil); ok {
		t.Error("nothing was identified")
	}
}
