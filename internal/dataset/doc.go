// Package dataset lists what there is to evaluate: image files with their
// labels, and the names of the classes, as data.test of a config describes
// them. It owns the meaning of data.test without its pipeline. It does not
// open images.
package dataset
