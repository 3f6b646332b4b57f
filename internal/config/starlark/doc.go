// Package starlark evaluates configs that are Python files: as Starlark, which is
// a subset of Python, without input or output and within fixed bounds of steps,
// time and memory. What Starlark lacks of Python and configs use is added where
// that is cheap; of the rest an error says what to write in its place. No other
// package imports go.starlark.net.
package starlark
