package pickle

import "math/big"

// step carries out one opcode, all but STOP. What each does is in the
// documentation of Python's pickletools.
func (m *machine) step() error {
	d := m.d
	switch d.op {
	case opProto, opFrame:
		return nil
	case opMark:
		if len(m.marks) == maxMarks {
			return damaged("it nests more than %d deep", maxMarks)
		}
		m.marks = append(m.marks, len(m.stack))
		return nil

	case opNone:
		return m.push(nil)
	case opNewTrue:
		return m.push(true)
	case opNewFalse:
		return m.push(false)
	case opBinInt, opBinInt1, opBinInt2:
		return m.push(d.n)
	case opInt:
		if d.text == "00" || d.text == "01" { // False and True
			return m.push(d.text == "01")
		}
		return m.push(integer(d.n, d.big))
	case opLong, opLong1, opLong4:
		return m.push(integer(d.n, d.big))
	case opFloat, opBinFloat:
		return m.push(d.f)
	case opString, opBinString, opShortBinString, opUnicode, opBinUnicode, opShortBinUnicode, opBinUnicode8:
		if d.blob != nil {
			return m.push(d.blob)
		}
		return m.push(d.text)
	case opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		if d.blob != nil {
			return m.push(d.blob)
		}
		return m.push(Bytes(d.text))
	case opNextBuffer: // which lies in no file
		return m.push(new(Object))
	case opReadonlyBuffer:
		_, err := m.top()
		return err

	case opEmptyTuple:
		return m.push(new(Tuple))
	case opTuple1:
		return m.tupleOf(1)
	case opTuple2:
		return m.tupleOf(2)
	case opTuple3:
		return m.tupleOf(3)
	case opTuple:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.pushTuple(items)
	case opEmptyList, opEmptySet:
		return m.push(new(List))
	case opEmptyDict:
		return m.push(new(Dict))
	case opList, opFrozenSet:
		return m.collect(new(List))
	case opDict:
		return m.collect(new(Dict))
	case opAppend:
		return m.into(m.add, 1)
	case opSetItem:
		return m.into(m.setAll, 2)
	case opAppends, opAddItems:
		return m.intoMarked(m.add)
	case opSetItems:
		return m.intoMarked(m.setAll)

	case opPop:
		if n := len(m.marks); n > 0 && len(m.stack) == m.marks[n-1] {
			m.marks = m.marks[:n-1]
			return nil
		}
		v, err := m.pop()
		m.drop(v)
		return err
	case opPopMark:
		items, err := m.popMark()
		m.drop(items...)
		clear(items)
		return err
	case opDup:
		v, err := m.top()
		if err != nil {
			return err
		}
		m.share(v)
		return m.push(v)

	case opPut, opBinPut, opLongBinPut:
		return m.remember(d.n)
	case opMemoize:
		return m.remember(m.memoized)
	case opGet, opBinGet, opLongBinGet:
		return m.recall(d.n)
	}
	return m.object()
}

// object carries out the opcodes that name classes and make objects of them.
func (m *machine) object() error {
	switch m.d.op {
	case opGlobal:
		g, err := m.name(m.d.text, m.d.name)
		if err != nil {
			return err
		}
		return m.push(g)
	case opStackGlobal:
		values, err := m.popN(2)
		if err != nil {
			return err
		}
		module, ok := values[0].(string)
		name, ok2 := values[1].(string)
		if !ok || !ok2 {
			return damaged("a class is named by values of type %s and %s", TypeOf(values[0]), TypeOf(values[1]))
		}
		m.drop(module, name)
		g, err := m.name(module, name)
		if err != nil {
			return err
		}
		return m.push(g)
	case opExt1, opExt2, opExt4: // a number that some program registered for a class
		return m.push(new(Object))
	case opReduce, opNewObj:
		values, err := m.popN(2)
		if err != nil {
			return err
		}
		args, ok := values[1].(*Tuple)
		if !ok {
			return damaged("a call has arguments of type %s", TypeOf(values[1]))
		}
		return m.call(values[0], args)
	case opNewObjEx: // with keyword arguments
		values, err := m.popN(3)
		if err != nil {
			return err
		}
		args, ok := values[1].(*Tuple)
		if !ok {
			return damaged("a call has arguments of type %s", TypeOf(values[1]))
		}
		m.drop(values[2])
		return m.call(values[0], args)
	case opInst:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		args, err := m.tuple(items)
		if err != nil {
			return err
		}
		g, err := m.name(m.d.text, m.d.name)
		if err != nil {
			return err
		}
		m.kept += cost(g) // as if it had been on the stack
		return m.call(g, args)
	case opObj:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return damaged("an object has no class")
		}
		args, err := m.tuple(items[1:])
		if err != nil {
			return err
		}
		return m.call(items[0], args)
	case opBuild:
		state, err := m.pop()
		if err != nil {
			return err
		}
		v, err := m.top()
		if err != nil {
			return err
		}
		return m.restore(v, state)
	case opPersID: // of protocol 0, in which torch can't write
		return m.push(new(Object))
	case opBinPersID:
		id, err := m.pop()
		if err != nil {
			return err
		}
		return m.persistent(id)
	}
	return damaged("opcode 0x%02x has no meaning", m.d.op)
}

func integer(n int64, large *big.Int) any {
	if large != nil {
		return large
	}
	return n
}

// popN takes n values, of which the last was on top; see popMark.
func (m *machine) popN(n int) ([]any, error) {
	at := len(m.stack) - n
	if at < m.floor() {
		return nil, damaged("the stack is empty")
	}
	values := m.stack[at:]
	m.stack = m.stack[:at]
	m.kept -= n * slotCost
	return values, nil
}

func (m *machine) tupleOf(n int) error {
	items, err := m.popN(n)
	if err != nil {
		return err
	}
	return m.pushTuple(items)
}

// collect puts a list or dict of what lies above the last mark on the stack.
func (m *machine) collect(c container) error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	c.header().cost = objectCost
	m.kept += objectCost
	if l, ok := c.(*List); ok {
		err = m.add(l, items)
	} else {
		err = m.setAll(c, items)
	}
	if err != nil {
		return err
	}
	clear(items)
	m.kept -= c.header().cost // push counts it
	return m.push(c)
}

// into adds the n values on top of the stack to the one below.
func (m *machine) into(add func(v any, items []any) error, n int) error {
	items, err := m.popN(n)
	if err != nil {
		return err
	}
	defer clear(items)
	v, err := m.top()
	if err != nil {
		return err
	}
	return add(v, items)
}

// intoMarked adds what lies above the last mark to the value below it.
func (m *machine) intoMarked(add func(v any, items []any) error) error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	defer clear(items)
	v, err := m.top()
	if err != nil {
		return err
	}
	return add(v, items)
}

// persistent puts what a persistent id stands for on the stack.
func (m *machine) persistent(id any) error {
	var v any
	if m.o.Persistent != nil {
		var kept int
		var err error
		if v, kept, err = m.o.Persistent(id); err != nil {
			return err
		}
		m.kept += kept
	}
	if v == nil {
		v = new(Object)
	}
	err := m.push(v)
	m.drop(id)
	return err
}
