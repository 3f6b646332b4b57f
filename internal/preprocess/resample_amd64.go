//go:build amd64 && !noasm

package preprocess

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _gen && go run . -pkg preprocess -out ../resample_amd64.s -stubs ../resample_stubs_amd64.go"

// vectorLoops are those that the processor and the operating system support.
// GODEBUG=cpu.avx2=off leaves them out.
func vectorLoops() resampleLoops {
	if cpu.X86.HasAVX2 {
		return resampleLoops{column: columnAVX2, fourRows: fourRowsAVX2}
	}
	return resampleLoops{}
}
