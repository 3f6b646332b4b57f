// Package report writes what a test measured: the result file of the original's
// tools/test.py, tables and pictures of the errors, painted images, and the
// comparison of two runs.
package report
