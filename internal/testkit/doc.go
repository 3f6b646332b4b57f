// Package testkit is for tests only. It computes networks in float64 from their
// definition, slowly, as the reference for the runners. It also makes small
// networks, weights and images for tests. No program uses it.
package testkit
