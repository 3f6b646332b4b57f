package bench

import (
	"fmt"
	"time"
)

// Load is how much processor time the machine and this process have used so
// far.
type Load struct {
	// Cores of the machine.
	Cores int
	// Busy is the time of all processes on all cores, Own that of this process.
	Busy, Own time.Duration
}

// othersCores is how many cores other processes kept busy between two loads.
func othersCores(from, to Load, wall time.Duration) float64 {
	if wall <= 0 {
		return 0
	}
	return max(0, ((to.Busy-from.Busy)-(to.Own-from.Own)).Seconds()/wall.Seconds())
}

// leastWall is how long it takes to tell what others do: the system counts
// their time in hundredths of a second, and not at once.
const leastWall = 200 * time.Millisecond

// crowding says so if others and our threads wanted more cores than there are.
func crowding(others float64, threads, cores int, wall time.Duration) string {
	if cores == 0 || wall < leastWall || others+float64(threads) <= float64(cores)+crowdLimit {
		return ""
	}
	others = min(others, float64(cores))
	return fmt.Sprintf("noisy: other processes kept %.1f of the %d cores busy", others, cores)
}
