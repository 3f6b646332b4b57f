package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"repvgg/internal/python/pickle"
)

// Choice says which of a file's state dicts is wanted; the zero value leaves it to
// the file.
type Choice struct {
	// Averaged asks for the averaged weights of a training run, under AverageKeys or
	// keys like them.
	Averaged bool
	// Key, unless empty, is that of the state dict, as File.Key has it.
	Key string
}

// AmbiguousError is a file with several state dicts, none of which is likelier than
// the others to be meant.
type AmbiguousError struct{ parts []*part }

func (e *AmbiguousError) Error() string {
	return "it holds several state dicts, and it is not clear which one is meant: " + list(e.parts)
}

// stateKeys are where a checkpoint has its state dict: mmcv's key, and the
// official code's. They come before any other.
var stateKeys = []string{"state_dict", "model"}

// AverageKeys are where training runs keep averaged weights: timm's, and the
// official code's. They, and others that speak of averages, are read if asked
// for, or for want of others.
var AverageKeys = []string{"state_dict_ema", "model_ema", "ema"}

// averageWords are the parts of such keys: ema_state_dict, swa_model.
var averageWords = []string{"ema", "swa", "avg", "averaged", "average", "shadow"}

// otherWords begin the keys of what has tensors but no network.
var otherWords = []string{"optim", "optimizer", "optimizers", "opt", "scheduler", "schedulers", "lr", "scaler", "amp", "rng", "loss", "criterion"}

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

func (p *part) key() string { return strings.Join(p.path, ".") }

// about tells whether a key on the way to the part has one of these words, or
// begins with one.
func (p *part) about(words []string, first bool) bool {
	return slices.ContainsFunc(p.path, func(key string) bool {
		all := strings.FieldsFunc(strings.ToLower(key), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
		if first {
			all = all[:min(len(all), 1)]
		}
		return slices.ContainsFunc(all, func(w string) bool { return slices.Contains(words, w) })
	})
}

func (p *part) averaged() bool { return p.about(averageWords, false) }

// rank says how well the part's key fits a network's state dict: the lower, the
// better.
func (p *part) rank() int {
	switch {
	case len(p.path) == 0:
		return len(stateKeys)
	case slices.Contains(stateKeys, p.path[0]):
		return slices.Index(stateKeys, p.path[0])
	}
	return len(stateKeys) + 1
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

var errNoAverages = fmt.Errorf("it holds no averaged weights under %s or a key like them", strings.Join(AverageKeys, ", "))

// choose gives the part that is wanted; nil if there is none.
func (s *search) choose(want Choice) (*part, error) {
	if want.Key != "" {
		for _, p := range s.parts {
			if p.key() == want.Key {
				return p, nil
			}
		}
		return nil, fmt.Errorf("it holds no state dict under %.80q; there are %s", want.Key, list(s.parts))
	}
	var plain, averaged []*part
	for _, p := range s.parts {
		switch {
		case p.averaged():
			averaged = append(averaged, p)
		case !p.about(otherWords, true):
			plain = append(plain, p)
		}
	}
	if want.Averaged {
		if len(averaged) == 0 {
			return nil, errNoAverages
		}
		plain = nil
	}
	from := plain
	if len(plain) == 0 {
		from = averaged
	}
	best := bestOf(from)
	if len(best) > 1 {
		return nil, &AmbiguousError{best}
	}
	if len(best) == 0 {
		return nil, nil
	}
	return best[0], nil
}

// bestOf gives the part that is most likely to be the network's state dict, or
// all of those that are equally likely.
func bestOf(parts []*part) []*part {
	var best []*part
	for _, p := range parts {
		switch order := compare(p, best); {
		case order < 0:
			best = []*part{p}
		case order == 0 && !slices.ContainsFunc(best, func(b *part) bool { return sameEntries(b, p) }):
			best = append(best, p)
		}
	}
	return best
}

// compare is negative if p is more likely than the best so far.
func compare(p *part, best []*part) int {
	if len(best) == 0 {
		return -1
	}
	b := best[0]
	for _, better := range []func(*part) bool{
		func(p *part) bool { return len(p.path) == 1 && p.rank() < len(stateKeys) },
		func(p *part) bool { return p.dotted },
	} {
		switch {
		case better(p) && !better(b):
			return -1
		case better(b) && !better(p):
			return 1
		}
	}
	if order := p.rank() - b.rank(); order != 0 {
		return order
	}
	if p.averaged() {
		if order := averageRank(p) - averageRank(b); order != 0 {
			return order
		}
	}
	return len(p.path) - len(b.path)
}

// averageRank is the place of the part's key among AverageKeys.
func averageRank(p *part) int {
	if len(p.path) > 0 {
		if i := slices.Index(AverageKeys, p.path[0]); i >= 0 {
			return i
		}
	}
	return len(AverageKeys)
}

// sameEntries tells a part that stands in the file under two keys.
func sameEntries(a, b *part) bool {
	return len(a.entries) > 0 && len(b.entries) > 0 && &a.entries[0] == &b.entries[0]
}

// list names parts for a message.
func list(parts []*part) string {
	const most = 8
	if len(parts) == 0 {
		return "none"
	}
	var names []string
	for _, p := range parts[:min(len(parts), most)] {
		key := "the file itself"
		if len(p.path) > 0 {
			key = fmt.Sprintf("%.80q", p.key())
		}
		names = append(names, fmt.Sprintf("%s (%d tensors)", key, p.tensors))
	}
	if more := len(parts) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
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

// readMeta takes what a training framework recorded of the network: mmcv under
// meta.CLASSES, mmengine under meta.dataset_meta.
func (c *File) readMeta(root *pickle.Dict, l *loader) {
	meta, _ := root.Get("meta").(*pickle.Dict)
	dataset, _ := meta.Get("dataset_meta").(*pickle.Dict)
	for _, v := range []any{meta.Get("CLASSES"), dataset.Get("classes"), dataset.Get("CLASSES")} {
		if c.Classes = l.texts(v); c.Classes != nil {
			return
		}
	}
}

// maxName is how many bytes of a class's name are read.
const maxName = 1 << 20

// texts are the items of a list or tuple of text; nil if v is something else.
func (l *loader) texts(v any) []string {
	var items []any
	switch v := v.(type) {
	case *pickle.List:
		items = v.Items
	case *pickle.Tuple:
		items = v.Items
	}
	var texts []string
	for _, item := range items {
		switch item := item.(type) {
		case string:
			texts = append(texts, item)
		case *pickle.Blob:
			text, err := io.ReadAll(io.LimitReader(item.Open(l.r), maxName))
			if err != nil {
				return nil
			}
			texts = append(texts, string(text))
		default:
			return nil
		}
	}
	return texts
}
