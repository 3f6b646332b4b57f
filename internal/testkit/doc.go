// Package testkit is for tests only. It computes networks in float64 as their definition
// reads, slowly: what tests hold the runners against. It also makes the small
// networks, weights and images that they do it with. No program uses it.
package testkit
