//go:build !amd64 || noasm

package kernel

import "testing"

func amxForTest(t *testing.T) amxFunc {
	t.Skip("no tile registers in plain Go")
	return nil
}
