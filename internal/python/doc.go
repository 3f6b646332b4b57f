// Package python formats numbers and strings as Python 3 does. It has repr,
// rounding, and the characters of a str that Python makes from a file name.
package python
