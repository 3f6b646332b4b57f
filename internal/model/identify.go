package model

import (
	"maps"
	"slices"

	"repvgg/internal/tensor"
)

// Identify tells which named architecture, with how many classes, the tensors of
// a state dict make, of either form, by their shapes.
func Identify(shapes map[string][]int) (arch string, classes int, ok bool) {
	shapes = maps.Clone(shapes)
	maps.DeleteFunc(shapes, func(name string, _ []int) bool { return IsCounter(name) })
	head := shapes[HeadWeight]
	if len(head) != 2 {
		return "", 0, false
	}
	c := defaultBackbone()
	for _, name := range ArchNames() {
		a, err := namedArch(name)
		if err != nil {
			continue
		}
		p := assemble(a, &c)
		p.Head = &Head{Features: p.Blocks[p.Depth-1].Out, Classes: head[0]}
		for _, form := range []Form{Train, Deploy} {
			specs := p.As(form).Tensors()
			fits := func(s tensor.Spec) bool {
				shape, ok := shapes[s.Name]
				return ok && slices.Equal(shape, s.Shape)
			}
			if len(specs) == len(shapes) && !slices.ContainsFunc(specs, func(s tensor.Spec) bool { return !fits(s) }) {
				return name, head[0], true
			}
		}
	}
	return "", 0, false
}
