package pickle

import "errors"

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
