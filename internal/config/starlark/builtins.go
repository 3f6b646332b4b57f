package starlark

import (
	"errors"
	"fmt"
	"math"
	"math/big"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"repvgg/internal/python"
)

// pythonBuiltins are Python functions that configs use and Starlark lacks. The map
// is never modified.
var pythonBuiltins = starlark.StringDict{
	"round": starlark.NewBuiltin("round", round),
	"sum":   starlark.NewBuiltin("sum", sum),
}

// round is Python 3's round: to the nearest value, and to the even one in a tie.
// Without digits, the result is an int.
func round(_ *starlark.Thread, fn *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var number, ndigits starlark.Value = nil, starlark.None
	if err := starlark.UnpackArgs(fn.Name(), args, kwargs, "number", &number, "ndigits?", &ndigits); err != nil {
		return nil, err
	}
	digits := 0
	if ndigits != starlark.None {
		var err error
		if digits, err = starlark.AsInt32(ndigits); err != nil {
			return nil, fmt.Errorf("round: ndigits: %w", err)
		}
	}
	switch x := number.(type) {
	case starlark.Int:
		return roundInt(x, digits), nil
	case starlark.Bool:
		if x {
			return starlark.MakeInt(1), nil
		}
		return starlark.MakeInt(0), nil
	case starlark.Float:
		if ndigits != starlark.None {
			return starlark.Float(python.Round(float64(x), digits)), nil
		}
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("round: cannot convert %s to an integer", python.Float(float64(x)))
		}
		return starlark.NumberToInt(starlark.Float(math.RoundToEven(float64(x))))
	}
	return nil, fmt.Errorf("round: want a number, got a %s", number.Type())
}

// roundInt rounds to a multiple of 10^-digits; digits >= 0 changes nothing.
func roundInt(x starlark.Int, digits int) starlark.Int {
	if digits >= 0 {
		return x
	}
	if -digits > maxIntBits { // more digits than any int has
		return starlark.MakeInt(0)
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	quotient, rest := new(big.Int).DivMod(x.BigInt(), unit, new(big.Int)) // rest >= 0
	twice := rest.Lsh(rest, 1).Cmp(unit)
	if twice > 0 || twice == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return starlark.MakeBigInt(quotient.Mul(quotient, unit))
}

// sum is Python's sum: start plus each item.
func sum(_ *starlark.Thread, fn *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var items starlark.Iterable
	var total starlark.Value = starlark.MakeInt(0)
	if err := starlark.UnpackArgs(fn.Name(), args, kwargs, "iterable", &items, "start?", &total); err != nil {
		return nil, err
	}
	iter := items.Iterate()
	defer iter.Done()
	var item starlark.Value
	for iter.Next(&item) {
		if !isNumber(item) || !isNumber(total) {
			return nil, fmt.Errorf("sum: want numbers, got a %s: add the others with +", item.Type())
		}
		var err error
		if total, err = starlark.Binary(syntax.PLUS, total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func isNumber(v starlark.Value) bool {
	switch v.(type) {
	case starlark.Int, starlark.Float:
		return true
	}
	return false
}

// keywords joins the dicts that a call unpacks, and its named arguments, into one
// dict. The cost of each was paid when it was unpacked.
func keywords(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	all := new(starlark.Dict)
	for _, arg := range args {
		dict, ok := arg.(*starlark.Dict)
		if !ok {
			return nil, fmt.Errorf("argument after ** must be a mapping, not %s", arg.Type())
		}
		for _, item := range dict.Items() {
			if _, twice, err := all.Get(item[0]); err != nil {
				return nil, err
			} else if twice {
				return nil, fmt.Errorf("keyword argument %s is repeated", item[0])
			}
			if err := all.SetKey(item[0], item[1]); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// copyMethod returns the copy method that Python's dicts and lists have, or nil.
func copyMethod(x starlark.Value) starlark.Value {
	var constructor starlark.Value
	switch x.(type) {
	case *starlark.Dict:
		constructor = starlark.Universe["dict"]
	case *starlark.List:
		constructor = starlark.Universe["list"]
	default:
		return nil
	}
	return starlark.NewBuiltin("copy", func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if len(args)+len(kwargs) > 0 {
			return nil, errors.New("copy: takes no arguments")
		}
		return starlark.Call(thread, constructor, starlark.Tuple{x}, nil)
	})
}
