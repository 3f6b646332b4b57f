// Package starlark evaluates .py configs as Starlark, a language similar to a
// subset of Python. Configs run without input or output, and within fixed bounds on
// steps, time and memory. Some Python features that Starlark lacks and configs use
// are added. For others, the error says what to write instead. No other package
// imports go.starlark.net.
package starlark
