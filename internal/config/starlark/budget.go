package starlark

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"repvgg/internal/config/value"
)

// maxUnits bounds the size of the values that one file may build. Each byte of a
// string, and each element of a list, tuple or dict, costs one unit when an
// operation makes it.
const maxUnits = 1 << 22

// maxIntBits bounds intermediate integers. A config's values must fit 64 bits.
const maxIntBits = 4096

var errTooLarge = errors.New("builds values that are too large for a config: write the value out")

// A budget is what remains of maxUnits during one evaluation.
type budget struct{ units int }

func (b *budget) spend(n int) error {
	if n < 0 || n > b.units {
		return errTooLarge
	}
	b.units -= n
	return nil
}

// predeclared returns the functions that a config can call in addition to
// Starlark's own: functions of Python that Starlark lacks, and guarded versions of
// functions that copy or format.
func (b *budget) predeclared() starlark.StringDict {
	env := starlark.StringDict{
		guardBinary: starlark.NewBuiltin(guardBinary, b.binary),
		guardAssign: starlark.NewBuiltin(guardAssign, b.assign),
		guardCopy:   starlark.NewBuiltin(guardCopy, b.copyOf),
		guardAttr:   starlark.NewBuiltin(guardAttr, b.attr),

		joinKeywords: starlark.NewBuiltin(joinKeywords, keywords),
		"getattr":    starlark.NewBuiltin("getattr", b.attr),
		"print":      starlark.NewBuiltin("print", discard),
	}
	maps.Copy(env, pythonBuiltins)
	for _, name := range []string{"bytes", "dict", "enumerate", "list", "reversed", "sorted", "tuple", "zip", "sum", "int"} {
		env[name] = b.charged(name, lookup(env, name), shallow)
	}
	for _, name := range []string{"str", "repr", "fail"} {
		env[name] = b.charged(name, lookup(env, name), weigh)
	}
	env["range"] = starlark.NewBuiltin("range", b.rangeOf)
	return env
}

func lookup(env starlark.StringDict, name string) starlark.Value {
	if v, ok := env[name]; ok {
		return v
	}
	return starlark.Universe[name]
}

// charged wraps a function so that it pays for its arguments before it runs.
func (b *budget) charged(name string, fn starlark.Value, cost func(starlark.Value, int) int) starlark.Value {
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		n := len(kwargs)
		for _, arg := range args {
			n += cost(arg, b.units)
		}
		if err := b.spend(n); err != nil {
			return nil, err
		}
		return starlark.Call(thread, fn, args, kwargs)
	})
}

func discard(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return starlark.None, nil
}

// rangeOf is range() with a bounded length, so that no loop over it runs long.
func (b *budget) rangeOf(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	v, err := starlark.Call(thread, starlark.Universe["range"], args, kwargs)
	if err != nil {
		return nil, err
	}
	if n := starlark.Len(v); n > value.MaxValues {
		return nil, errTooLarge
	}
	return v, nil
}

// copyOf pays for a copy of its argument, and returns the argument.
func (b *budget) copyOf(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return args[0], b.spend(shallow(args[0], b.units))
}

func (b *budget) binary(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	op, err := b.operator(args)
	if err != nil {
		return nil, err
	}
	return starlark.Binary(op, args[1], args[2])
}

func (b *budget) assign(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	_, err := b.operator(args)
	return args[2], err
}

var operators = map[string]syntax.Token{
	"+": syntax.PLUS, "*": syntax.STAR, "%": syntax.PERCENT, "<<": syntax.LTLT, "|": syntax.PIPE,
}

// operator takes (op, x, y) and pays for the result of x op y.
func (b *budget) operator(args starlark.Tuple) (syntax.Token, error) {
	name, _ := starlark.AsString(args[0])
	op := operators[name]
	x, y := args[1], args[2]
	if a, ok := x.(starlark.Int); ok {
		if c, ok := y.(starlark.Int); ok {
			return op, checkInts(op, a, c)
		}
	}
	switch op {
	case syntax.STAR:
		n := shallow(x, b.units)
		if count, ok := y.(starlark.Int); ok {
			return op, b.repeat(n, count)
		}
		if count, ok := x.(starlark.Int); ok {
			return op, b.repeat(shallow(y, b.units), count)
		}
		return op, nil
	case syntax.PERCENT:
		if _, ok := x.(starlark.String); !ok {
			return op, nil
		}
		return op, b.spend(shallow(x, b.units) + weigh(y, b.units))
	}
	return op, b.spend(shallow(x, b.units) + shallow(y, b.units))
}

func checkInts(op syntax.Token, x, y starlark.Int) error {
	bits := max(x.BigInt().BitLen(), y.BigInt().BitLen())
	switch op {
	case syntax.STAR:
		bits = x.BigInt().BitLen() + y.BigInt().BitLen()
	case syntax.LTLT:
		bits = x.BigInt().BitLen() + 512 // Starlark's longest shift
	}
	if bits > maxIntBits {
		return errTooLarge
	}
	return nil
}

// repeat pays for n times count units.
func (b *budget) repeat(n int, count starlark.Int) error {
	times, ok := count.Int64()
	switch {
	case n == 0 || count.Sign() <= 0:
		return nil
	case !ok || times > int64(b.units/n):
		return errTooLarge
	}
	return b.spend(n * int(times))
}

// attr returns x.name. If it is a method, the method is wrapped so that it pays for
// its receiver, its arguments and its result.
func (b *budget) attr(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if len(args) < 2 {
		return nil, errors.New("getattr: want an object and a name")
	}
	name, ok := starlark.AsString(args[1])
	if !ok {
		return nil, errors.New("getattr: the name must be a string")
	}
	x := args[0]
	var method starlark.Value
	if holder, ok := x.(starlark.HasAttrs); ok {
		v, err := holder.Attr(name)
		if err != nil {
			return nil, err
		}
		method = v
	}
	if method == nil && name == "copy" {
		method = copyMethod(x)
	}
	if method == nil {
		if len(args) > 2 {
			return args[2], nil
		}
		return nil, fmt.Errorf("%s has no .%s attribute", x.Type(), name)
	}
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if err := b.spend(b.methodCost(x, name, args, kwargs)); err != nil {
			return nil, err
		}
		return starlark.Call(thread, method, args, kwargs)
	}), nil
}

// methodCost bounds the size of what x.name(args) builds.
func (b *budget) methodCost(x starlark.Value, name string, args starlark.Tuple, kwargs []starlark.Tuple) int {
	s, isString := x.(starlark.String)
	if !isString {
		if name == "append" || name == "get" || name == "setdefault" || name == "pop" {
			return 1
		}
		n := shallow(x, b.units)
		for _, arg := range args {
			n += shallow(arg, b.units)
		}
		return n
	}
	n := len(s) + 1
	switch name {
	case "format":
		fields := strings.Count(string(s), "{")
		for _, arg := range args {
			n += fields * weigh(arg, b.units)
		}
		for _, arg := range kwargs {
			n += fields * weigh(arg, b.units)
		}
	case "join":
		for _, arg := range args {
			n += len(s)*shallow(arg, b.units) + weigh(arg, b.units)
		}
	case "replace":
		for _, arg := range args {
			n += (len(s) + 1) * shallow(arg, b.units)
		}
	default:
		for _, arg := range args {
			n += shallow(arg, b.units)
		}
	}
	return n
}

// shallow returns the number of units that a shallow copy of v costs.
func shallow(v starlark.Value, _ int) int {
	if s, ok := v.(starlark.String); ok {
		return len(s)
	}
	if s, ok := v.(starlark.Bytes); ok {
		return len(s)
	}
	return max(starlark.Len(v), 0)
}

// weigh returns the number of units that v costs when formatted as text, including
// its elements. It stops counting soon after limit, because values may be shared or
// even cyclic.
func weigh(v starlark.Value, limit int) int {
	w := weigher{limit: limit}
	w.add(v, 0)
	return w.units
}

type weigher struct{ units, limit int }

func (w *weigher) add(v starlark.Value, depth int) {
	w.units += shallow(v, 0) + 1
	if depth > value.MaxDepth {
		w.units += w.limit
	}
	if w.units > w.limit {
		return
	}
	switch v := v.(type) {
	case starlark.Int:
		w.units += v.BigInt().BitLen()
	case starlark.Tuple:
		w.items(v, depth)
	case *starlark.List:
		w.items(v, depth)
	case *starlark.Dict:
		for _, item := range v.Items() {
			w.items(item, depth)
		}
	}
}

func (w *weigher) items(v starlark.Indexable, depth int) {
	for i := 0; i < v.Len() && w.units <= w.limit; i++ {
		w.add(v.Index(i), depth+1)
	}
}
