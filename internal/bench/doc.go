// Package bench measures how fast networks run. It produces rows of figures with
// their statistics, and compares them with those of an earlier run.
//
// Both forms of a network are measured in turns, so that a disturbance of the
// machine affects both. A row's latency is the median over single runs after a
// warm-up. The spread of the runs, their drift and the load from other processes
// are measured too. Each of them becomes a note if it makes the figure doubtful.
package bench
