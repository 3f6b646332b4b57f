package convert

import (
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// OpenFor opens a checkpoint (see Open) that may have either form of the network
// of plan, and gives the plan in the form that it has.
func OpenFor(plan *model.Plan, path string, averaged bool) (*checkpoint.File, *model.Plan, error) {
	c, err := Open(path, averaged)
	if err != nil {
		return nil, nil, err
	}
	if form, ok := model.FormOf(c.Names); ok {
		plan = plan.As(form) // else what is wrong, Match says best
	}
	if err := Match(c, plan); err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, plan, nil
}

// Identify tells which named architecture, with how many classes, a checkpoint
// holds.
func Identify(c *checkpoint.File) (arch string, classes int, ok bool) {
	shapes := make(map[string][]int)
	for name, t := range c.Tensors {
		shapes[name] = t.Shape
	}
	return model.Identify(shapes)
}

// Match reports whether a checkpoint holds exactly the tensors of a plan, each
// with its shape and its bytes in the file. It reads no values. Counters of
// training steps may be there or not.
func Match(c *checkpoint.File, p *model.Plan) error {
	if mixed := namingsOf(c); len(mixed) > 1 {
		return fmt.Errorf("checkpoint %q has tensors with the names of %s and with those of %s; leave one network in it", c.Path, mixed[0].Owner, mixed[1].Owner)
	}
	if err := matchForm(c, p); err != nil {
		return err
	}
	naming := NamingOf(c)
	var missing, unreadable, misshapen []string
	known := make(map[string]bool)
	for _, spec := range p.Tensors() {
		known[spec.Name] = true
		t, name := c.Tensors[spec.Name], translate(spec.Name, MMClassification, naming)
		switch {
		case t == nil && c.Unreadable[spec.Name]:
			unreadable = append(unreadable, name)
		case t == nil:
			missing = append(missing, name)
		case !slices.Equal(t.Shape, spec.Shape):
			misshapen = append(misshapen, fmt.Sprintf("%s has shape %s where the config needs %s",
				name, tensor.FormatShape(t.Shape), tensor.FormatShape(spec.Shape)))
		}
	}
	var unexpected []string
	for _, name := range c.Names {
		if !known[name] && !model.IsCounter(name) {
			unexpected = append(unexpected, printable(c.Tensors[name].Name))
		}
	}
	var faults []string
	for _, f := range []struct {
		what  string
		names []string
	}{{"missing", missing}, {"of a type that is not read (complex, quantized, sparse; save tensor.float())", unreadable}, {"unexpected", unexpected}, {"misshapen", misshapen}} {
		if len(f.names) > 0 {
			faults = append(faults, fmt.Sprintf("%s: %s", f.what, enumerate(f.names)))
		}
	}
	if slices.ContainsFunc(unexpected, ofRepVGGplus) {
		return fmt.Errorf("checkpoint %q holds a RepVGGplus, a network that is not supported; RepVGG-A0 to B3g4 and D2se are", c.Path)
	}
	if len(faults) > 0 {
		return fmt.Errorf("checkpoint %q does not fit the config: %s; %s", c.Path, strings.Join(faults, "; "), advice(c))
	}
	for _, spec := range p.Tensors() {
		if err := c.Tensors[spec.Name].Check(); err != nil {
			return fmt.Errorf("reading checkpoint %q: %w", c.Path, err)
		}
	}
	return nil
}

// advice says which config a checkpoint wants.
func advice(c *checkpoint.File) string {
	arch, classes, ok := Identify(c)
	if !ok {
		return "use the config that the checkpoint was trained with"
	}
	return fmt.Sprintf("it holds a RepVGG-%s of %d classes: use a config with arch='%s' and num_classes=%d", arch, classes, arch, classes)
}

// ofRepVGGplus tells whether a tensor is one of the blocks that the official
// code's RepVGGplus has and RepVGG does not.
func ofRepVGGplus(name string) bool {
	return strings.HasPrefix(name, "stage") && strings.Contains(name, ".blocks.") && strings.Contains(name, ".rbr_")
}

// matchForm tells a checkpoint of the other form from one that is just wrong.
func matchForm(c *checkpoint.File, p *model.Plan) error {
	form, ok := model.FormOf(c.Names)
	switch {
	case !ok || form == p.Form:
		return nil
	case p.Form == model.Train:
		return fmt.Errorf("checkpoint %q holds the deploy form, which needs no conversion; test it with the deploy config, or with --cfg-options model.backbone.deploy=True", c.Path)
	default:
		return fmt.Errorf("checkpoint %q holds the train form, but the config is a deploy config; use the train config, or convert the checkpoint with repvgg reparameterize", c.Path)
	}
}

// printable is a name from a file as it may stand in a message.
func printable(name string) string {
	if quoted := fmt.Sprintf("%.80q", name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// enumerate lists the first few names.
func enumerate(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
