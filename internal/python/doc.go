// Package python writes numbers and strings as Python 3 does: the text of repr,
// rounding, and the characters of a str that was made of a file name.
package python
