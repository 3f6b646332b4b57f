// Package infile opens the files that a program reads. They are regular files:
// opening a pipe would wait for its writer, and a device may never end.
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

// File is a file that is open for reading. Reads fail once its context has ended.
type File struct {
	f    *os.File
	ctx  context.Context
	size int64
}

// ErrNotRegular says that a path leads to something else than a regular file.
var ErrNotRegular = errors.New("it is not a regular file")

// Open opens a regular file. The error is an *fs.PathError. It wraps ErrNotRegular
// for anything else, at which no read is tried.
func Open(ctx context.Context, path string) (*File, error) {
	// Looked at before it is opened, since opening a device can have an effect; and
	// opened without waiting, since it may have become a pipe meanwhile.
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

// cause is what an error of a path says without the path.
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

// Size is how many bytes the file had when it was opened.
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

// Read gives what a regular file of at most so many bytes holds. A larger one is an
// error, before it is read. buf is used if it is large enough.
func Read(ctx context.Context, path string, buf []byte, most int64) ([]byte, error) {
	f, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.size > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has %d bytes, more than the %d that such a file may have", f.size, most)}
	}
	if int64(cap(buf)) < f.size {
		buf = make([]byte, f.size+f.size/4) // room for larger ones that follow
	}
	// At a time no more than lets an end of the context be noticed.
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
