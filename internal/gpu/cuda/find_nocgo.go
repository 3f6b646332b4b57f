//go:build !cgo || !unix

package cuda

import "errors"

// FindLibraries says for each library why it can't be used.
func FindLibraries(Environment) Libraries {
	none := Found{Err: errors.New("this program was built without cgo")}
	return Libraries{Driver: none, NVRTC: none, CUDNN: none}
}
