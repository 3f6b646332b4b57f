// Package dataset lists the images of a data set with their labels, and its class
// names. It does not open image files. It reads the array files of CIFAR and MNIST,
// which it does not trust.
//
// It also looks for labels that are in another order than the network's classes:
// LabelWarnings does so before a run, ChanceWarning after it.
package dataset
