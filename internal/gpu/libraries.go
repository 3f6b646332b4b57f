package gpu

// Found is what came of looking for a library.
type Found struct {
	// Path is the library's file; empty if Err is not nil.
	Path string
	// Version is empty if the library does not say it.
	Version string
	// Err is why it can't be used.
	Err error
}

// Libraries are those that New needs.
type Libraries struct {
	Driver, NVRTC, CUDNN Found
}

// FindLibraries looks for the libraries as New does, in a few milliseconds: it
// starts no GPU. With all of them found New may still fail, if no GPU is there.
func FindLibraries() Libraries { return findLibraries(hostEnvironment()) }
