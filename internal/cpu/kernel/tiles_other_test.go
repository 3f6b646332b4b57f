//go:build !amd64 || noasm

package kernel

import "testing"

func tilesForTest(t *testing.T) tilesFunc {
	t.Skip("no tile registers in plain Go")
	return nil
}
