package pickle

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Options say what the names in a pickle stand for, and what it may take.
type Options struct {
	// Call gives what a call of a class or function comes to: nil if it has no
	// meaning, which makes an Object of it. It may be nil.
	Call func(f Global, args []any) (any, error)
	// Persistent gives what a persistent id stands for; nil if it has no meaning.
	// kept is about how many bytes the caller remembers of it. It may be nil.
	Persistent func(id any) (v any, kept int, err error)
	// Memory is about how many bytes may be kept; 0 stands for DefaultMemory.
	Memory int
}

// DefaultMemory is enough for the structure of a hundred thousand tensors.
const DefaultMemory = 32 << 20

// Pickle is what one pickle holds.
type Pickle struct {
	Value any
	// Globals are the classes and functions that it names, each once, in the order
	// in which it does.
	Globals []Named
	// End is where the byte behind it lies.
	End int64
}

// Named is a class or function that a pickle names.
type Named struct {
	Global
	// Known says that a call of it, or with it, had a meaning.
	Known bool
}

// Load reads the pickle at byte at of r, which ends before byte end.
func Load(r io.ReaderAt, at, end int64, o Options) (*Pickle, error) {
	m := machine{o: o, memo: make(map[int64]any), globals: make(map[Global]int)}
	v, err := m.run(r, at, end)
	if err != nil {
		return nil, err
	}
	return &Pickle{Value: v, Globals: m.named, End: m.d.pos}, nil
}

// run gives the value of the pickle.
func (m *machine) run(r io.ReaderAt, at, end int64) (any, error) {
	if m.budget = m.o.Memory; m.budget == 0 {
		m.budget = DefaultMemory
	}
	var err error
	if m.recalled, err = recalled(newDecoder(r, at, end), m.budget); err != nil {
		return nil, err
	}
	m.kept = placeCost * len(m.recalled)
	m.d = newDecoder(r, at, end)
	for {
		if err := m.d.next(); err != nil {
			return nil, err
		}
		if m.d.op == opStop {
			return m.pop()
		}
		if err := m.step(); err != nil {
			return nil, err
		}
	}
}

// recalled reads a pickle for the places of its memo that it asks for again.
// Python remembers every container, so that remembering what is recalled only is
// what lets go of the rest.
func recalled(d *decoder, budget int) (map[int64]bool, error) {
	places := make(map[int64]bool)
	d.skip = true
	for {
		if err := d.next(); err != nil {
			return nil, err
		}
		switch d.op {
		case opStop:
			return places, nil
		case opGet, opBinGet, opLongBinGet:
			places[d.n] = true
			if len(places) > budget/placeCost {
				return nil, errTooMuch(budget)
			}
		}
	}
}

func errTooMuch(budget int) error {
	return fmt.Errorf("its pickled structure takes more than %d MiB of memory, more than that of any checkpoint", budget>>20)
}

const (
	// maxItems is how many items a list is kept with.
	maxItems = 256 << 10
	// maxUnwanted is how many bytes a part without a Sized value is kept with,
	// once it is complete; maxOpen how many until then.
	maxUnwanted = 2 << 20
	maxOpen     = 8 << 20
	// maxMarks bounds how deeply lists and tuples nest.
	maxMarks = 1000

	slotCost   = 16 // of an interface
	objectCost = 96 // of a container, at least
	placeCost  = 64 // of an entry of a map
)

// machine is the pickle machine. Of the values on its stack, in its memo and in
// its containers it knows how many bytes they take.
type machine struct {
	d     *decoder
	o     Options
	stack []any
	// marks are the heights of the stack at which marks lie.
	marks []int
	memo  map[int64]any
	// recalled are the places of the memo that are asked for.
	recalled map[int64]bool
	// memoized counts what was put into the memo: the place of MEMOIZE.
	memoized int64
	globals  map[Global]int // indexes of named
	named    []Named

	kept, budget int
	// copied counts the items that calls have copied.
	copied int64
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("its pickled structure is damaged: "+format, args...)
}

// cost is how many bytes let go whoever drops a reference to v: those of a value
// that is copied with each reference, and of a container that nobody else has.
func cost(v any) int {
	switch v := v.(type) {
	case nil, bool:
		return 0
	case int64, float64:
		return 8
	case string:
		return 16 + len(v)
	case Bytes:
		return 16 + len(v)
	case container:
		if h := v.header(); !h.shared {
			return h.cost
		}
		return 0
	case Sized:
		return v.Size()
	}
	return 64 // a big.Int, a Global, a Blob
}

func (m *machine) charge(bytes int) error {
	if m.kept += bytes; m.kept > m.budget {
		return errTooMuch(m.budget)
	}
	return nil
}

// push puts a value on the stack that nothing else holds.
func (m *machine) push(v any) error {
	if c, ok := v.(container); ok && c.header().cost == 0 {
		c.header().cost = objectCost
	}
	m.stack = append(m.stack, v)
	return m.charge(slotCost + cost(v))
}

// pop takes a value from the stack; its cost stays.
func (m *machine) pop() (any, error) {
	n := len(m.stack) - 1
	if n < m.floor() {
		return nil, damaged("the stack is empty")
	}
	v := m.stack[n]
	m.stack[n] = nil
	m.stack = m.stack[:n]
	m.kept -= slotCost
	return v, nil
}

// floor is the height below which nothing may be taken: that of the last mark.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) top() (any, error) {
	if len(m.stack) == m.floor() {
		return nil, damaged("the stack is empty")
	}
	return m.stack[len(m.stack)-1], nil
}

// popMark takes what lies above the last mark. The values are valid until the
// next push; the caller settles their costs and clears them, so that the memory
// can be had back.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, damaged("there is no mark")
	}
	from := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	items := m.stack[from:]
	m.stack = m.stack[:from]
	m.kept -= slotCost * len(items)
	return items, nil
}

// drop lets a value go.
func (m *machine) drop(values ...any) {
	for _, v := range values {
		m.kept -= cost(v)
	}
}

// empty lets go of what a container holds.
func (m *machine) empty(c container) {
	h := c.header()
	m.kept -= h.cost - objectCost
	h.cost, h.emptied = objectCost, true
	c.clear()
}

// adopt notes that a container now holds v, in a slot of so many bytes. What no
// caller wants and takes much is let go.
func (m *machine) adopt(c container, v any, slot int) error {
	h := c.header()
	switch v := v.(type) {
	case container:
		inner := v.header()
		if inner.cost > maxUnwanted && !inner.wanted {
			m.empty(v)
		}
		h.wanted = h.wanted || inner.wanted
	case Sized:
		h.wanted = true
	}
	h.cost += slot + cost(v)
	return m.charge(slot)
}

// appendTo adds an item to a list.
func (m *machine) appendTo(l *List, v any) error {
	l.Len++
	if !l.emptied && (l.Len > maxItems || l.cost > maxOpen && !l.wanted) {
		m.empty(l)
	}
	if l.emptied {
		m.drop(v)
		return nil
	}
	l.Items = append(l.Items, v)
	return m.adopt(l, v, 2*slotCost) // as slices grow ahead
}

// set sets an entry of a dict.
func (m *machine) set(d *Dict, k, v any) error {
	d.Len++
	var key string
	switch k := k.(type) {
	case string:
		key = k
	case Bytes:
		key = string(k)
	default: // an index, say: of an optimizer's state
		m.drop(k, v)
		return nil
	}
	if !d.wanted && d.cost > maxOpen {
		m.empty(d)
	}
	d.Entries = append(d.Entries, Entry{key, v})
	d.cost += cost(k)
	return m.adopt(d, v, 3*slotCost)
}

// tuple makes a tuple of values that were taken from the stack.
func (m *machine) tuple(items []any) (*Tuple, error) {
	defer clear(items)
	t := &Tuple{node: node{cost: objectCost}}
	if err := m.charge(objectCost); err != nil {
		return nil, err
	}
	if len(items) > maxItems {
		m.drop(items...)
		t.emptied = true
		return t, nil
	}
	t.Items = slices.Clone(items)
	for _, v := range t.Items {
		if err := m.adopt(t, v, slotCost); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// pushTuple makes a tuple and puts it on the stack.
func (m *machine) pushTuple(items []any) error {
	t, err := m.tuple(items)
	if err != nil {
		return err
	}
	m.kept -= t.cost // push counts it
	return m.push(t)
}

// remember puts the value on top of the stack into the memo.
func (m *machine) remember(place int64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	m.memoized++
	if !m.recalled[place] {
		return nil
	}
	m.memo[place] = v
	return m.charge(placeCost + m.share(v))
}

// share notes that another reference to v is made, and gives what that takes.
func (m *machine) share(v any) int {
	if c, ok := v.(container); ok {
		c.header().shared = true
	}
	return cost(v)
}

func (m *machine) recall(place int64) error {
	v, ok := m.memo[place]
	if !ok {
		return damaged("it asks for value %d, which it did not note", place)
	}
	return m.push(v)
}

// name makes a value of a class or function.
func (m *machine) name(module, name string) (Global, error) {
	g := Global{module, name}
	if _, ok := m.globals[g]; ok {
		return g, nil
	}
	if len(module) > maxLine || len(name) > maxLine {
		return g, damaged("a class has a name of %d characters", len(module)+len(name))
	}
	m.globals[g] = len(m.named)
	m.named = append(m.named, Named{Global: g})
	return g, m.charge(100 + 2*(len(module)+len(name)))
}

// call makes what a call comes to of the function and its arguments, which lie
// on the stack no more.
func (m *machine) call(f any, args *Tuple) error {
	var v any
	switch f := f.(type) {
	case Global:
		before := m.kept
		var err error
		if m.o.Call != nil && !args.emptied {
			v, err = m.o.Call(f, args.Items)
		}
		if v == nil && err == nil && !args.emptied {
			v, err = m.builtin(f, args.Items)
		}
		if err != nil {
			return err
		}
		m.kept = before // push counts what the value holds
		if v == nil {
			v = &Object{Class: f}
		} else {
			m.know(f)
			for _, arg := range args.Items { // the type of what is made, say
				m.know(arg)
			}
		}
	case *Object: // a method, or a class inside another
		v = &Object{Class: f.Class}
	default:
		return damaged("it calls a value of type %s", TypeOf(f))
	}
	err := m.push(v)
	m.drop(f, args)
	return err
}

// know notes that a value which may be a class or function has a meaning.
func (m *machine) know(v any) {
	if g, ok := v.(Global); ok {
		m.named[m.globals[g]].Known = true
	}
}

// restore gives an object its state.
func (m *machine) restore(v, state any) error {
	switch v := v.(type) {
	case *Object:
		m.drop(v.State)
		v.cost -= cost(v.State)
		v.State = state
		return m.adopt(v, state, 0)
	case *Array:
		if err := v.setState(state); err != nil {
			return err
		}
		// What is kept of the state is counted as all of it.
		return m.adopt(v, state, 0)
	case *dtype:
		v.setState(state)
	}
	// A dict's attributes, say, of which none means anything.
	m.drop(state)
	return nil
}

var errNoContainer = errors.New("its pickled structure is damaged: it adds items to what holds none")

// add adds items to a list or to a set.
func (m *machine) add(v any, items []any) error {
	switch v := v.(type) {
	case *List:
		for _, item := range items {
			if err := m.appendTo(v, item); err != nil {
				return err
			}
		}
		return nil
	case *Object: // of a kind of list: nobody asks for its items
		m.drop(items...)
		return nil
	}
	return errNoContainer
}

// setAll sets entries of a dict: keys and values in turn.
func (m *machine) setAll(v any, items []any) error {
	if len(items)%2 != 0 {
		return damaged("a key has no value")
	}
	var d *Dict
	o, _ := v.(*Object)
	switch v := v.(type) {
	case *Dict:
		d = v
	case *Object: // of a kind of dict
		if v.Items == nil {
			v.Items = &Dict{node: node{cost: objectCost}}
			v.cost += objectCost
			m.kept += objectCost
		}
		d = v.Items
	default:
		return errNoContainer
	}
	before := d.cost
	for i := 0; i < len(items); i += 2 {
		if err := m.set(d, items[i], items[i+1]); err != nil {
			return err
		}
	}
	if o != nil {
		o.cost += d.cost - before
		o.wanted = o.wanted || d.wanted
	}
	return nil
}
