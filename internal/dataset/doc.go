// Package dataset lists what there is to evaluate: images with their labels, and
// the names of the classes, as a Source describes them. Images that are files it
// does not open; those that are elements of an array (CIFAR, MNIST) it reads,
// from files that are not trusted.
//
// It also looks for labels that are in another order than the network's
// classes: LabelWarnings before a run, ChanceWarning after it.
package dataset
