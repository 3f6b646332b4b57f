// Package figure draws charts as SVG and PNG: accuracy against speed, and bars. It
// is the only package that imports gonum/plot. Its subpackage matrix draws
// confusion matrices.
package figure
