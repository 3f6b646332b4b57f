// Package infile opens the files that a program reads. It accepts only regular
// files: opening a pipe would wait for its writer, and a device may have no end.
package infile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// File is a file that is open for reading. Reads fail after its context has ended.
type File struct {
	f    *os.File
	ctx  context.Context
	size int64
}

// ErrNotRegular is the error for a path that is not a regular file.
var ErrNotRegular = errors.New("it is not a regular file")

// Open opens a regular file. Errors are of type *fs.PathError. For anything else
// than a regular file, the error wraps ErrNotRegular, and nothing is read.
func Open(ctx context.Context, path string) (*File, error) {
	// Check the type before opening, because opening a device can have an effect. Open
	// without waiting, because the path may have become a pipe since then.
	info, err := os.Stat(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: cause(err)}
	}
	if err := checkRegular(path, info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = checkRegular(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{f, ctx, info.Size()}, nil
}

// cause returns the text of a path error without the path.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

func checkRegular(path string, info fs.FileInfo) error {
	kind := ""
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	default:
		kind = "a device"
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w but %s", ErrNotRegular, kind)}
}

// Size returns the number of bytes in the file when it was opened.
func (f *File) Size() int64 { return f.size }

// Read implements io.Reader.
func (f *File) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.f.Read(p)
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.f.ReadAt(p, offset)
}

// Seek implements io.Seeker.
func (f *File) Seek(offset int64, whence int) (int64, error) { return f.f.Seek(offset, whence) }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Read returns the contents of a regular file of at most most bytes. A larger file
// is an error and is not read. buf is used if it is large enough.
func Read(ctx context.Context, path string, buf []byte, most int64) ([]byte, error) {
	f, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.size > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has %d bytes, more than the limit of %d", f.size, most)}
	}
	if int64(cap(buf)) < f.size {
		buf = make([]byte, f.size+f.size/4) // room for larger files later
	}
	// Read in pieces that are small enough to notice the end of the context.
	const piece = 4 << 20
	data := buf[:f.size]
	for n := 0; n < len(data); {
		k, err := io.ReadFull(f, data[n:min(n+piece, len(data))])
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, &fs.PathError{Op: "read", Path: path, Err: cause(err)}
		}
		n += k
	}
	return data, nil
}
