// Package eval runs a network on the images of a data set. It reads and transforms
// images on all cores while the network runs, and returns the scores in the order
// of the data set.
//
// Images go through a bounded stream: a feeder assigns samples to slots of batches,
// workers fill the slots in any order, and the network takes the batches in order.
// If several samples have errors, the error of the first of them is returned,
// whichever worker was fastest.
package eval
