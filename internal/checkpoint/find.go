package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"repvgg/internal/python/pickle"
)

// part is a dict or a pickled network somewhere in a checkpoint that holds
// tensors.
type part struct {
	path    []string
	entries []pickle.Entry
	modules map[string]*Module // of a network
	tensors int
	// dotted says that a tensor has a name of several words, which those of
	// networks have.
	dotted bool
}

// readRoot finds the state dict in what torch.load would return.
func (c *File) readRoot(root any, l *loader, want Choice) error {
	s := search{seen: make(map[any]*part)}
	if err := s.walk(nil, root); err != nil {
		return err
	}
	if d, ok := root.(*pickle.Dict); ok {
		c.readMeta(d, l)
	}
	found, err := s.choose(want)
	if err != nil {
		return err
	}
	if found == nil {
		return s.nothing(root)
	}
	c.Key, c.Averaged, c.Modules = found.key(), found.averaged(), found.modules
	if !c.Averaged {
		for _, p := range s.parts {
			if p.averaged() {
				c.Averages += p.tensors
			}
		}
	}
	if err := c.readState(found.entries); err != nil {
		return err
	}
	if len(c.Names) == 0 {
		return fmt.Errorf("its state dict %q holds nothing but averaged weights and counters", c.Key)
	}
	return nil
}

const (
	// maxDepth is how many keys deep a state dict may stand.
	maxDepth = 4
	// maxIndexes is how many items of a list are looked at.
	maxIndexes = 64
	// maxLooks bounds the search, as a dict may stand in many places.
	maxLooks = 1 << 20
)

// search goes through a checkpoint.
type search struct {
	parts []*part
	looks int
	// seen are the containers that were counted, so that one that stands in many
	// places is counted once.
	seen map[any]*part
	// made counts the values that functions nobody knows here have made.
	made map[string]int
}

// walk looks for parts in v, which stands under the keys of path.
func (s *search) walk(path []string, v any) error {
	entries, isNetwork := childrenOf(v)
	if entries == nil && !isNetwork {
		return nil
	}
	before, twice := s.seen[v]
	if !twice {
		p, err := s.count(v, entries, isNetwork)
		if err != nil {
			return err
		}
		before = p
		s.seen[v] = p
	}
	if before != nil {
		p := *before
		p.path = slices.Clone(path)
		s.parts = append(s.parts, &p)
	}
	if isNetwork || len(path) == maxDepth || twice && len(path) > 1 {
		return nil
	}
	if s.looks += len(entries); s.looks > maxLooks {
		return errors.New("it has more keys than those of any checkpoint")
	}
	for _, e := range entries {
		if e.Key == "" { // which stands for the file itself
			continue
		}
		if err := s.walk(append(path, e.Key), e.Value); err != nil {
			return err
		}
	}
	return nil
}

// childrenOf gives what a value holds under names. isNetwork tells a network
// that was pickled whole.
func childrenOf(v any) (entries []pickle.Entry, isNetwork bool) {
	switch v := v.(type) {
	case *pickle.Dict:
		return v.Entries, false
	case *pickle.Object:
		if isModule(v) {
			return nil, true
		}
		if v.Items != nil {
			return v.Items.Entries, false
		}
		if d := v.Attributes(); d != nil {
			return d.Entries, false
		}
	case *pickle.List:
		return indexed(v.Items), false
	case *pickle.Tuple:
		return indexed(v.Items), false
	}
	return nil, false
}

func indexed(items []any) []pickle.Entry {
	var entries []pickle.Entry
	for i, v := range items[:min(len(items), maxIndexes)] {
		entries = append(entries, pickle.Entry{Key: strconv.Itoa(i), Value: v})
	}
	return entries
}

// count gives the part that a container is, nil if it holds no tensors.
func (s *search) count(v any, entries []pickle.Entry, isNetwork bool) (*part, error) {
	p := &part{entries: entries}
	if isNetwork {
		n := network{modules: make(map[string]*Module)}
		if err := n.walk("", v.(*pickle.Object), 0); err != nil {
			return nil, err
		}
		p.entries, p.modules = n.entries, n.modules
	}
	_, isList := v.(*pickle.List)
	_, isTuple := v.(*pickle.Tuple)
	for _, e := range p.entries {
		switch v := e.Value.(type) {
		case *Tensor:
			p.tensors++
			p.dotted = p.dotted || strings.Contains(e.Key, ".")
		case *pickle.Object:
			s.note(v)
		}
	}
	if p.tensors == 0 || isList || isTuple {
		return nil, nil
	}
	return p, nil
}

// note counts a value by what made it, if that is one of torch's functions.
func (s *search) note(v *pickle.Object) {
	if strings.HasPrefix(v.Class.Name, "_rebuild_") || strings.HasPrefix(v.Class.Module, "torch.") {
		if s.made == nil {
			s.made = make(map[string]int)
		}
		s.made[v.Class.String()]++
	}
}

// nothing says what a file holds that has no state dict.
func (s *search) nothing(root any) error {
	var entries []pickle.Entry
	switch v := root.(type) {
	case *Tensor:
		return errors.New("no state dict found: it holds a single tensor; save model.state_dict()")
	case *pickle.Dict, *pickle.Object:
		entries, _ = childrenOf(v)
	default:
		return fmt.Errorf("no state dict found: it holds a value of type %s, not a dict; save model.state_dict()", pickle.TypeOf(root))
	}
	const most = 8
	var keys []string
	for _, e := range entries[:min(len(entries), most)] {
		kind := pickle.TypeOf(e.Value)
		if d, ok := e.Value.(*pickle.Dict); ok {
			kind = fmt.Sprintf("dict of %d", d.Len)
		}
		keys = append(keys, fmt.Sprintf("%.40q (%s)", e.Key, kind))
	}
	if more := len(entries) - most; more > 0 {
		keys = append(keys, fmt.Sprintf("%d more", more))
	}
	if len(keys) == 0 {
		keys = []string{"(none)"}
	}
	return fmt.Errorf("no state dict found: no tensor that can be read stands under its keys %s%s", strings.Join(keys, ", "), s.makers())
}

// makers names the functions whose tensors are not read.
func (s *search) makers() string {
	const most = 3
	var names []string
	for name, n := range s.made {
		names = append(names, fmt.Sprintf("%.80q (%d values)", name, n))
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	return "; what these functions make is not read: " + strings.Join(names, ", ")
}
