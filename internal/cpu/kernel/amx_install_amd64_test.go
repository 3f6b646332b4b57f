//go:build amd64 && !noasm

package kernel

import "testing"

// amxForTest is AMX, the machine's or emulated; nil without either.
func amxForTest(t *testing.T) amxFunc {
	useAMX(t)
	return stripsAMX
}
