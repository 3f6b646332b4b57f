// Package figure draws charts as SVG and PNG: accuracy against speed, and bars.
// gonum/plot is imported here only. Confusion matrices are drawn by its
// subpackage matrix.
package figure
