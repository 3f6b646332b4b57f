// Package eval takes images through a network: it reads and transforms them on
// all cores while the network runs, and gives their scores in the order of the
// data set.
//
// Images go through a bounded stream: a feeder hands out their places in
// batches, workers fill the places in any order, and the network takes the
// batches in turn. The first error is that of the first sample that has one,
// whichever worker was fastest.
package eval
