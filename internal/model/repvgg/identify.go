package repvgg

import (
	"maps"
	"slices"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// Identify finds the named architecture and the number of classes of a state dict,
// in either form, by the shapes of its tensors. The names are those in plans.
func Identify(shapes map[string][]int) (arch string, classes int, ok bool) {
	shapes = maps.Clone(shapes)
	maps.DeleteFunc(shapes, func(name string, _ []int) bool { return model.IsCounter(name) })
	head := shapes[NewHead(0, 0).Weight]
	if len(head) != 2 {
		return "", 0, false
	}
	for _, name := range ArchNames() {
		c := Default()
		c.Classes = head[0]
		var err error
		if c.Arch, err = NamedArch(name); err != nil {
			continue
		}
		p := c.assemble()
		for _, form := range []model.Form{model.Train, model.Deploy} {
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
