//go:build !cgo || !linux || !amd64

package amxtest

import "errors"

// Install fails: the emulator needs cgo, Linux and amd64.
func Install() (restore func(), err error) {
	return nil, errors.New("emulating AMX: needs cgo, Linux and amd64")
}

// Count is zero.
func Count() int64 { return 0 }

// Configured is zero.
func Configured() int64 { return 0 }
