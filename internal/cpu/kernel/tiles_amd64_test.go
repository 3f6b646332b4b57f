//go:build amd64 && !noasm

package kernel

import "testing"

// tilesForTest is AMX, the machine's or emulated; nil without either.
func tilesForTest(t *testing.T) tilesFunc {
	useAMX(t)
	return tilesAMX
}
