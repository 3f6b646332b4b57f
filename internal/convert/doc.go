// Package convert writes the deploy form of a checkpoint, and verifies that both
// forms compute the same.
package convert
