//go:build !cgo || !unix

package jpeg

import "errors"

const advice = "build it with CGO_ENABLED=1 and a C compiler"

// library stands for libjpeg-turbo, which cannot be opened from this build.
type library struct{ path string }

func openLibrary() (*library, error) {
	return nil, errors.New("this program was built without cgo")
}

func (*library) decode([]byte, []byte, int) (width, height int, rgb []byte, err error) {
	return 0, 0, nil, errors.New("this program was built without cgo")
}
