package cpu

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// spareMemory is the bytes that the machine, or the control group that limits
// this process, can give.
func spareMemory() int64 {
	spare := int64(unknownMemory)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var kib int64
			if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kib); n == 1 {
				spare = kib << 10
			}
		}
	}
	limit, err1 := readNumber("/sys/fs/cgroup/memory.max")
	used, err2 := readNumber("/sys/fs/cgroup/memory.current")
	if err1 == nil && err2 == nil {
		spare = min(spare, limit-used)
	}
	return spare
}

// readNumber reads a file that is one number; "max" is an error.
func readNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
