package weights

import (
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// KeyMaps returns the key maps whose names a checkpoint uses. Usually it is exactly
// one. It is none if the checkpoint holds no such network. If all names have the
// same prefix, from a module that wraps the network, and fit only without it, the
// prefix is removed from the file's names.
func KeyMaps(file *checkpoint.File, among []*model.KeyMap) []*model.KeyMap {
	found := owners(file.Names, among, "")
	common := file.CommonPrefix()
	for end := 0; len(found) == 0 && end < len(common); {
		end += strings.IndexByte(common[end:], '.') + 1
		if found = owners(file.Names, among, common[:end]); len(found) > 0 {
			file.StripPrefix(common[:end])
		}
	}
	return found
}

// owners returns the key maps that own a name after the prefix is removed.
func owners(names []string, among []*model.KeyMap, prefix string) []*model.KeyMap {
	var found []*model.KeyMap
	for _, k := range among {
		if slices.ContainsFunc(names, func(name string) bool { return k.Owns(strings.TrimPrefix(name, prefix)) }) {
			found = append(found, k)
		}
	}
	return found
}

// named is a checkpoint whose tensors have the names in plans.
type named struct {
	file       *checkpoint.File
	keys       *model.KeyMap // nil if the file's names are the plan's
	names      []string
	tensors    map[string]*checkpoint.Tensor
	unreadable map[string]bool
}

// rename translates the names in a checkpoint to those in plans.
func rename(file *checkpoint.File, keys *model.KeyMap) (*named, error) {
	n := &named{file: file, keys: keys, tensors: make(map[string]*checkpoint.Tensor), unreadable: make(map[string]bool)}
	plan := func(name string) string {
		if keys != nil {
			name, _ = keys.ToPlan(name)
		}
		return name
	}
	for _, from := range file.Names {
		to, t := plan(from), file.Tensors[from]
		if other := n.tensors[to]; other != nil {
			return nil, fmt.Errorf("reading checkpoint %q: tensors %.80q and %.80q both mean %.80q; remove one of them", file.Path, other.Name, t.Name, to)
		}
		n.tensors[to] = t
		n.names = append(n.names, to)
	}
	for name := range file.Unreadable {
		n.unreadable[plan(name)] = true
	}
	return n, nil
}

// Shapes returns the shapes of a checkpoint's tensors by their names in plans.
func Shapes(file *checkpoint.File, keys *model.KeyMap) (map[string][]int, error) {
	n, err := rename(file, keys)
	if err != nil {
		return nil, err
	}
	return n.shapes(), nil
}

func (n *named) shapes() map[string][]int {
	shapes := make(map[string][]int)
	for name, t := range n.tensors {
		shapes[name] = t.Shape
	}
	return shapes
}

// Match finds a network in an open checkpoint: exactly the tensors of one of its
// forms, each with its shape and its bytes in the file. It reads no values.
// Counters of training steps may be there or not; what ignore names, as of Open, is
// left out. The error is a *MisfitError if the tensors are others than those of the
// network.
func Match(file *checkpoint.File, plan *model.Plan, ignore ...string) (*Set, error) {
	ignored, err := leaveOut(file, ignore)
	if err != nil {
		return nil, err
	}
	var keys *model.KeyMap
	if plan.Family != nil && len(plan.Family.KeyMaps) > 0 {
		keys = plan.Family.KeyMaps[0]
		found := KeyMaps(file, plan.Family.KeyMaps)
		if len(found) > 1 {
			return nil, fmt.Errorf("checkpoint %q has tensors with the names of %s and with those of %s; keep only one network in it", file.Path, found[0].Owner, found[1].Owner)
		}
		if len(found) == 1 {
			keys = found[0]
		}
	}
	n, err := rename(file, keys)
	if err != nil {
		return nil, err
	}
	if form, ok := plan.FormOf(n.names); ok {
		plan = plan.As(form) // otherwise fit gives the best error
	}
	if err := n.fit(plan); err != nil {
		return nil, err
	}
	for _, spec := range plan.Tensors() {
		if err := n.tensors[spec.Name].Check(); err != nil {
			return nil, fmt.Errorf("reading checkpoint %q: %w", file.Path, err)
		}
	}
	return &Set{Plan: plan, KeyMap: keys, File: file, Ignored: ignored, tensors: n.tensors, variances: plan.Variances()}, nil
}

// MisfitError is a checkpoint whose tensors are not those of a network: names that
// can be printed, and an advice that fits.
type MisfitError struct {
	Path string
	// Missing are tensors that the file lacks, Unreadable those that have a type that
	// is not read there, Unexpected those that the network does not have.
	Missing, Unreadable, Unexpected []string
	// Misshapen say which tensors have which other shape.
	Misshapen []string
	Advice    string
}

func (e *MisfitError) Error() string {
	var faults []string
	for _, f := range []struct {
		what  string
		names []string
	}{
		{"missing", e.Missing}, {"of a type that is not read (complex, quantized, sparse; save tensor.float())", e.Unreadable},
		{"unexpected", e.Unexpected}, {"misshapen", e.Misshapen},
	} {
		if len(f.names) > 0 {
			faults = append(faults, f.what+": "+enumerate(f.names))
		}
	}
	return fmt.Sprintf("checkpoint %q does not fit the config: %s; %s", e.Path, strings.Join(faults, "; "), e.Advice)
}

// fit returns an error if tensors are missing, unexpected or misshapen.
func (n *named) fit(plan *model.Plan) error {
	e := &MisfitError{Path: n.file.Path}
	known := make(map[string]bool)
	for _, spec := range plan.Tensors() {
		known[spec.Name] = true
		switch t, name := n.tensors[spec.Name], n.inFile(spec.Name); {
		case t == nil && n.unreadable[spec.Name]:
			e.Unreadable = append(e.Unreadable, name)
		case t == nil:
			e.Missing = append(e.Missing, name)
		case !slices.Equal(t.Shape, spec.Shape):
			e.Misshapen = append(e.Misshapen, fmt.Sprintf("%s has shape %s where the config needs %s",
				name, tensor.FormatShape(t.Shape), tensor.FormatShape(spec.Shape)))
		}
	}
	for _, name := range n.names {
		if !known[name] && !model.IsCounter(name) {
			e.Unexpected = append(e.Unexpected, printable(n.tensors[name].Name))
		}
	}
	if len(e.Missing)+len(e.Unreadable)+len(e.Unexpected)+len(e.Misshapen) == 0 {
		return nil
	}
	e.Advice = n.advice(plan, e)
	return e
}

// advice says what else a checkpoint may be, and what to do.
func (n *named) advice(plan *model.Plan, e *MisfitError) string {
	if plan.Family != nil && plan.Family.Identify != nil {
		if found := plan.Family.Identify(n.shapes()); found != "" {
			return found
		}
	}
	whole := len(e.Unreadable)+len(e.Misshapen) == 0
	switch prefix := commonPrefix(e.Missing, e.Unexpected); {
	case whole && len(e.Missing) == 0:
		return "all that the config needs is there: leave the others out"
	case whole && len(e.Missing) == len(plan.HeadTensors()) && !slices.ContainsFunc(plan.HeadTensors(), func(s tensor.Spec) bool { return n.tensors[s.Name] != nil }):
		if len(e.Unexpected) == 0 {
			return "it holds all blocks of the config, but not the head: only whole classifiers are read"
		}
		return "it holds all blocks of the config, but another network's head, as of a detector or segmenter: only whole classifiers are read"
	case whole && prefix != "":
		return fmt.Sprintf("its tensors are those that the config has under %q, the backbone alone: only whole classifiers are read", prefix)
	}
	return "use the config that the checkpoint was trained with"
}

// commonPrefix is what stands before names of the network in place of which a file
// has them without it: of all that it has. It is empty if there is none.
func commonPrefix(missing, unexpected []string) string {
	if len(unexpected) == 0 {
		return ""
	}
	i := slices.IndexFunc(missing, func(name string) bool { return strings.HasSuffix(name, "."+unexpected[0]) })
	if i < 0 {
		return ""
	}
	prefix := strings.TrimSuffix(missing[i], unexpected[0])
	for _, name := range unexpected {
		if !slices.Contains(missing, prefix+name) {
			return ""
		}
	}
	return prefix
}

// inFile returns the name in the file of a tensor of the plan.
func (n *named) inFile(name string) string {
	if n.keys != nil {
		name, _ = n.keys.ToFile(name)
	}
	return name
}

// printable makes a name from a file safe for a message.
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
