// Package report writes the results of a test: the result file of the original's
// tools/test.py, tables and pictures of the errors, painted images, and the
// comparison of two runs.
package report
