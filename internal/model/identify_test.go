package model

import (
	"slices"
	"testing"
)

// TestIdentify tells every named architecture in both forms, and none if a
// tensor is missing, too many, or misshapen.
func TestIdentify(t *testing.T) {
	for _, name := range ArchNames() {
		a, err := namedArch(name)
		if err != nil {
			t.Fatal(err)
		}
		c := defaultBackbone()
		p := assemble(a, &c)
		p.Head = &Head{Features: p.Blocks[p.Depth-1].Out, Classes: 7}
		for _, form := range []Form{Train, Deploy} {
			names, shapes := []string{"backbone.stem.branch_1x1.norm.num_batches_tracked"}, make(map[string][]int)
			for _, s := range p.As(form).Tensors() {
				names = append(names, s.Name)
				shapes[s.Name] = s.Shape
			}
			shape := func(name string) []int { return shapes[name] }
			if arch, classes, ok := Identify(names, shape); arch != name || classes != 7 || !ok {
				t.Errorf("%s in its %s form is said to be %q with %d classes (%v)", name, form, arch, classes, ok)
			}
			last := p.As(form).Tensors()[3]
			for _, other := range [][]string{names[:len(names)-1], append(slices.Clip(names), "another")} {
				if arch, _, ok := Identify(other, shape); ok {
					t.Errorf("%d tensors instead of %d of %s are said to be %s", len(other), len(names), name, arch)
				}
			}
			shapes[last.Name] = slices.Concat(last.Shape, []int{2})
			if arch, _, ok := Identify(names, shape); ok {
				t.Errorf("%s with %v for %s is said to be %s", name, shapes[last.Name], last.Name, arch)
			}
		}
	}
	if _, _, ok := Identify(nil, nil); ok {
		t.Error("nothing was identified")
	}
}
