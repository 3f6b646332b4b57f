package config

import (
	"errors"
	"fmt"
	"time"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// The bounds of evaluating one .py file. A config of the zoo takes some hundred
// steps and a millisecond.
const (
	maxSteps = 1 << 20
	maxTime  = 30 * time.Second
)

// pythonOptions bring Starlark nearer to Python. They are only read.
var pythonOptions = &syntax.FileOptions{While: true, TopLevelControl: true, GlobalReassign: true}

// A document is what one file holds before its bases are merged in.
type document struct {
	dict *Dict
	// places maps a top-level key to where it is set ("a.py:3:1").
	places map[string]string
}

// A placeError is an error that knows its place in a file.
type placeError struct {
	place string // "a.py:3:12"
	err   error
}

func (e *placeError) Error() string { return e.place + ": " + e.err.Error() }
func (e *placeError) Unwrap() error { return e.err }

// placeErr gives err a place, unless it has one.
func placeErr(place string, err error) error {
	if _, ok := errors.AsType[*placeError](err); ok {
		return err
	}
	return &placeError{place, err}
}

// evalPython evaluates the text of a .py config as Starlark. name stands for
// the file in error places.
func evalPython(name, text string) (document, error) {
	file, err := pythonOptions.Parse(name, text, 0)
	if err != nil {
		return document{}, explainPython(name, text, err)
	}
	if err := guard(file); err != nil {
		return document{}, placeErr(name, err)
	}
	predeclared := (&budget{units: maxUnits}).predeclared()
	program, err := starlark.FileProgram(file, predeclared.Has)
	if err != nil {
		return document{}, explainPython(name, text, err)
	}
	globals, err := runProgram(program, predeclared, maxTime)
	if err != nil {
		return document{}, evalError(name, err)
	}
	return documentOf(file, globals)
}

// runProgram runs a compiled file within the step limit and, for the few single
// steps that can take long, a time limit. A run that does not stop in time is
// abandoned: its goroutine ends with the step it is in.
func runProgram(program *starlark.Program, predeclared starlark.StringDict, limit time.Duration) (starlark.StringDict, error) {
	type result struct {
		globals starlark.StringDict
		err     error
	}
	thread := &starlark.Thread{Name: "config", Print: func(*starlark.Thread, string) {}}
	thread.SetMaxExecutionSteps(maxSteps)
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("evaluating: %v", p)
			}
			done <- r
		}()
		r.globals, r.err = program.Init(thread, predeclared)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.globals, r.err
	case <-timer.C:
		thread.Cancel("too slow")
		return nil, fmt.Errorf("takes longer than %v to evaluate: write the values out", limit)
	}
}

// evalError gives a run-time error its place: the innermost one in the file.
func evalError(name string, err error) error {
	var evalErr *starlark.EvalError
	if !errors.As(err, &evalErr) {
		return &placeError{name, err}
	}
	place := name
	for i := range evalErr.CallStack {
		if pos := evalErr.CallStack.At(i).Pos; pos.IsValid() && pos.Line > 0 {
			place = pos.String()
			break
		}
	}
	msg := evalErr.Msg
	if msg == "Starlark computation cancelled: too many steps" {
		msg = fmt.Sprintf("takes more than %d steps to evaluate: write the value out", maxSteps)
	}
	return &placeError{place, errors.New(msg)}
}

// documentOf converts the globals in the order in which the file binds them.
// Functions and names that begin with "__" are no settings.
func documentOf(file *syntax.File, globals starlark.StringDict) (document, error) {
	doc := document{dict: new(Dict), places: make(map[string]string)}
	var size sizer
	module := file.Module.(*resolve.Module)
	for _, binding := range module.Globals {
		key := binding.First.Name
		v, ok := globals[key]
		if _, isFunc := v.(starlark.Callable); !ok || isFunc || len(key) > 1 && key[:2] == "__" {
			continue
		}
		place := binding.First.NamePos.String()
		converted, err := fromStarlark(v, key, &size)
		if err != nil {
			return document{}, &placeError{place, err}
		}
		doc.dict.Set(key, converted)
		doc.places[key] = place
	}
	return doc, nil
}

// fromStarlark converts a value; path names it in errors.
func fromStarlark(v starlark.Value, path string, size *sizer) (Value, error) {
	if err := size.enter(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer size.leave()
	switch v := v.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.Int:
		n, ok := v.Int64()
		if !ok {
			return nil, fmt.Errorf("%s: integer is out of range: it does not fit 64 bits", path)
		}
		return n, nil
	case starlark.Float:
		return float64(v), nil
	case starlark.String:
		return string(v), nil
	case starlark.Tuple:
		items, err := fromItems(v, path, size)
		return Tuple(items), err
	case *starlark.List:
		items, err := fromItems(v, path, size)
		return List(items), err
	case *starlark.Dict:
		return fromDict(v, path, size)
	}
	if items, ok := v.(starlark.Indexable); ok && v.Type() == "range" {
		items, err := fromItems(items, path, size)
		return List(items), err
	}
	return nil, fmt.Errorf("%s: a %s cannot be a config value: use None, a bool, number, string, list, tuple or dict",
		path, v.Type())
}

func fromItems(v starlark.Indexable, path string, size *sizer) ([]Value, error) {
	out := make([]Value, v.Len())
	for i := range out {
		item, err := fromStarlark(v.Index(i), joinPath(path, i), size)
		if err != nil {
			return nil, err
		}
		out[i] = item
	}
	return out, nil
}

func fromDict(v *starlark.Dict, path string, size *sizer) (Value, error) {
	out := new(Dict)
	for _, item := range v.Items() {
		var key Value
		switch k := item[0].(type) {
		case starlark.String:
			key = string(k)
		case starlark.Int:
			n, ok := k.Int64()
			if !ok {
				return nil, fmt.Errorf("%s: integer key is out of range: it does not fit 64 bits", path)
			}
			key = n
		default:
			return nil, fmt.Errorf("%s: a %s cannot be a key of a config: use a string or an int", path, k.Type())
		}
		converted, err := fromStarlark(item[1], joinPath(path, key), size)
		if err != nil {
			return nil, err
		}
		out.Set(key, converted)
	}
	return out, nil
}
