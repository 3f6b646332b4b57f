// Package bench measures how fast networks run: rows of figures with honest
// statistics, and how they differ from those of an earlier run.
//
// The rows of one network in both forms are measured in turns, so that what
// disturbs the machine disturbs both. A row's latency is the median over single
// runs after a warm-up; how far they spread, whether they drifted, and what else
// the machine was doing is measured beside it and said where it matters.
package bench
