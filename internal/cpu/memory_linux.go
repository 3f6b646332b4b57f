package cpu

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// MachineMemory is the bytes of memory that the machine has, or that the control
// group of this process may use. It is not what is free at the moment, so that
// the same algorithms are chosen each time.
func MachineMemory() int64 {
	memory := int64(unknownMemory)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var kib int64
			if n, _ := fmt.Sscanf(lines.Text(), "MemTotal: %d kB", &kib); n == 1 {
				memory = kib << 10
			}
		}
	}
	for _, limit := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if n, err := readNumber(limit); err == nil {
			memory = min(memory, n)
		}
	}
	return memory
}

// readNumber reads a file that is one number; "max" is an error.
func readNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
