package bench

import (
	"fmt"
	"time"
)

// Load is the processor time that the machine and this process have used so far.
type Load struct {
	// Cores of the machine.
	Cores int
	// Busy is the time of all processes on all cores. Own is the time of this process.
	Busy, Own time.Duration
}

// othersCores returns the average number of cores that other processes kept busy
// between two loads.
func othersCores(from, to Load, wall time.Duration) float64 {
	if wall <= 0 {
		return 0
	}
	return max(0, ((to.Busy-from.Busy)-(to.Own-from.Own)).Seconds()/wall.Seconds())
}

// leastWall is the shortest time over which the load of other processes can be
// measured: the system counts time in hundredths of a second, with a delay.
const leastWall = 200 * time.Millisecond

// crowding returns a note if other processes and our threads wanted more cores than
// there are.
func crowding(others float64, threads, cores int, wall time.Duration) string {
	if cores == 0 || wall < leastWall || others+float64(threads) <= float64(cores)+crowdLimit {
		return ""
	}
	others = min(others, float64(cores))
	return fmt.Sprintf("noisy: other processes kept %.1f of the %d cores busy", others, cores)
}
