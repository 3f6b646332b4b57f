package starlark

import (
	"errors"
	"fmt"
	"time"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"repvgg/internal/config/value"
)

// Bounds on the evaluation of one .py file. A config of the zoo takes a few hundred
// steps and a millisecond.
const (
	maxSteps = 1 << 20
	maxTime  = 30 * time.Second
)

// pythonOptions enable Python features that Starlark has as options. They are never
// modified.
var pythonOptions = &syntax.FileOptions{While: true, TopLevelControl: true, GlobalReassign: true}

// A File has the variables that a config sets.
type File struct {
	// Values are the variables, in the order in which the file sets them.
	Values *value.Dict
	// Places has the place where each variable is set: a.py:3:1.
	Places map[string]string
}

// An Error is an error with its place in the file.
type Error struct {
	Place string // a.py:3:12
	Err   error
}

func (e *Error) Error() string { return e.Place + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// placed adds a place to err, unless it already has one.
func placed(place string, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{place, err}
}

// Eval evaluates the text of a .py config, and counts its values. name is what
// places call the file. Its errors are of type *Error.
func Eval(name, text string, size *value.Sizer) (*File, error) {
	text = keepEscapes(text)
	file, err := pythonOptions.Parse(name, text, 0)
	if err != nil {
		return nil, explain(name, text, err)
	}
	if err := guard(file); err != nil {
		return nil, placed(name, err)
	}
	predeclared := (&budget{units: maxUnits}).predeclared()
	program, err := starlark.FileProgram(file, predeclared.Has)
	if err != nil {
		return nil, explain(name, text, err)
	}
	globals, err := runProgram(program, predeclared, maxTime)
	if err != nil {
		return nil, evalError(name, err)
	}
	return settings(file, globals, size)
}

// runProgram runs a compiled file with a step limit. A time limit covers the few
// single steps that can take long. A run that does not stop in time is abandoned,
// and its goroutine ends after its current step.
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

// evalError adds to a run-time error its innermost place in the file.
func evalError(name string, err error) error {
	var evalErr *starlark.EvalError
	if !errors.As(err, &evalErr) {
		return &Error{name, err}
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
	return &Error{place, errors.New(msg)}
}

// settings converts the globals in the order in which the file binds them.
// Functions and names that begin with "__" are no settings.
func settings(file *syntax.File, globals starlark.StringDict, size *value.Sizer) (*File, error) {
	f := &File{Values: new(value.Dict), Places: make(map[string]string)}
	module := file.Module.(*resolve.Module)
	for _, binding := range module.Globals {
		key := binding.First.Name
		v, ok := globals[key]
		if _, isFunc := v.(starlark.Callable); !ok || isFunc || len(key) > 1 && key[:2] == "__" {
			continue
		}
		place := binding.First.NamePos.String()
		converted, err := fromStarlark(v, key, size)
		if err != nil {
			return nil, &Error{place, err}
		}
		f.Values.Set(key, converted)
		f.Places[key] = place
	}
	return f, nil
}

// fromStarlark converts a value. Errors name its path.
func fromStarlark(v starlark.Value, path string, size *value.Sizer) (value.Value, error) {
	if err := size.Enter(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer size.Leave()
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
		if err := size.Text(string(v)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return string(v), nil
	case starlark.Tuple:
		items, err := fromItems(v, path, size)
		return value.Tuple(items), err
	case *starlark.List:
		items, err := fromItems(v, path, size)
		return value.List(items), err
	case *starlark.Dict:
		return fromDict(v, path, size)
	}
	if items, ok := v.(starlark.Indexable); ok && v.Type() == "range" {
		items, err := fromItems(items, path, size)
		return value.List(items), err
	}
	return nil, fmt.Errorf("%s: a %s cannot be a config value: use None, a bool, number, string, list, tuple or dict",
		path, v.Type())
}

func fromItems(v starlark.Indexable, path string, size *value.Sizer) ([]value.Value, error) {
	out := make([]value.Value, v.Len())
	for i := range out {
		item, err := fromStarlark(v.Index(i), value.Join(path, i), size)
		if err != nil {
			return nil, err
		}
		out[i] = item
	}
	return out, nil
}

func fromDict(v *starlark.Dict, path string, size *value.Sizer) (value.Value, error) {
	out := new(value.Dict)
	for _, item := range v.Items() {
		var key value.Value
		switch k := item[0].(type) {
		case starlark.String:
			if err := size.Text(string(k)); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
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
		converted, err := fromStarlark(item[1], value.Join(path, key), size)
		if err != nil {
			return nil, err
		}
		out.Set(key, converted)
	}
	return out, nil
}
