package bench

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// ReadLoad reads the load. ok is false if it is not available.
func ReadLoad() (l Load, ok bool) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Load{}, false
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return Load{}, false
	}
	l, ok = parseStat(stat)
	l.Own = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return l, ok
}

// parseStat reads the CPU lines of /proc/stat: "cpu user nice system idle iowait
// irq softirq steal guest guest_nice" for all cores, then cpu0 and so on. The unit
// is 1/100 s on all current Linux platforms. Guest time is included in user time.
func parseStat(stat []byte) (l Load, ok bool) {
	for line := range bytes.Lines(stat) {
		fields := bytes.Fields(line)
		if len(fields) < 9 || !bytes.HasPrefix(fields[0], []byte("cpu")) {
			continue
		}
		if string(fields[0]) != "cpu" {
			l.Cores++
			continue
		}
		for i, f := range fields[1:9] {
			const idle, iowait = 3, 4
			n, err := strconv.ParseInt(string(f), 10, 64)
			if err != nil {
				return Load{}, false
			}
			if i != idle && i != iowait {
				l.Busy += time.Duration(n) * 10 * time.Millisecond
			}
		}
	}
	return l, l.Cores > 0
}
