package pickle

import (
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

func (m *machine) recall(place int64) error {
	v, ok := m.memo[place]
	if !ok {
		return damaged("it asks for value %d, which it did not note", place)
	}
	return m.push(v)
}
