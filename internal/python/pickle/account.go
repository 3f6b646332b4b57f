package pickle

import "fmt"

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

func errTooMuch(budget int) error {
	return fmt.Errorf("its pickled structure takes more than %d MiB of memory, more than that of any checkpoint", budget>>20)
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

// share notes that another reference to v is made, and gives what that takes.
func (m *machine) share(v any) int {
	if c, ok := v.(container); ok {
		c.header().shared = true
	}
	return cost(v)
}
