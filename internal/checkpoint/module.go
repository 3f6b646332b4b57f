package checkpoint

import (
	"errors"
	"fmt"
	"strings"

	"repvgg/internal/python/pickle"
)

// Module is a module of a network that was pickled whole. Its class was not
// looked at: what is known of it is what its pickle says.
type Module struct {
	// Class is the name of its class: "ultralytics.nn.modules.conv.RepConv".
	Class string

	attributes *pickle.Dict
}

// Attribute gives an attribute that is a number or text, as bool, int64, float64
// or string, or a tuple of them, as []any; nil if there is no such attribute.
func (m *Module) Attribute(name string) any {
	switch v := m.attributes.Get(name).(type) {
	case bool, int64, float64, string:
		return v
	case *pickle.Tuple:
		return v.Items
	}
	return nil
}

// isModule tells a pickled torch.nn.Module.
func isModule(o *pickle.Object) bool {
	a := o.Attributes()
	_, hasParameters := a.Get("_parameters").(*pickle.Dict)
	_, hasModules := a.Get("_modules").(*pickle.Dict)
	return hasParameters && hasModules
}

// network gathers what the state_dict() of a pickled network would hold.
type network struct {
	entries []pickle.Entry
	modules map[string]*Module
	steps   int
}

const (
	// maxNesting is how deeply modules may nest.
	maxNesting = 64
	// maxSteps bounds the modules and tensors, as a module may stand in many
	// places.
	maxSteps = 1 << 17
	// maxPath bounds the names.
	maxPath = 1024
)

// walk adds the parameters and buffers of a module whose name is path, and those
// of the modules in it, in the order of torch's state_dict().
func (n *network) walk(path string, o *pickle.Object, depth int) error {
	a := o.Attributes()
	n.modules[strings.TrimSuffix(unwrapped(path), ".")] = &Module{Class: o.Class.String(), attributes: a}
	if depth == maxNesting || len(path) > maxPath {
		return errors.New("its modules nest deeper than those of any network")
	}
	parameters, _ := a.Get("_parameters").(*pickle.Dict)
	buffers, _ := a.Get("_buffers").(*pickle.Dict)
	modules, _ := a.Get("_modules").(*pickle.Dict)
	if n.steps += 1 + len(parameters.Entries) + len(modules.Entries); n.steps > maxSteps {
		return fmt.Errorf("its modules and tensors are more than %d", maxSteps)
	}
	if buffers != nil {
		n.steps += len(buffers.Entries)
	}
	passing := make(map[any]bool)
	if set, ok := a.Get("_non_persistent_buffers_set").(*pickle.List); ok {
		for _, name := range set.Items {
			passing[name] = true
		}
	}
	for name, v := range parameters.All() {
		if v != nil {
			n.entries = append(n.entries, pickle.Entry{Key: path + name, Value: v})
		}
	}
	for name, v := range buffers.All() {
		if v != nil && !passing[name] {
			n.entries = append(n.entries, pickle.Entry{Key: path + name, Value: v})
		}
	}
	for name, v := range modules.All() {
		inner, ok := v.(*pickle.Object)
		if !ok || !isModule(inner) {
			continue
		}
		if err := n.walk(path+name+".", inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}
