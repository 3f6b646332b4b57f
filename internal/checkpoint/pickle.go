package checkpoint

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/nlpodyssey/gopickle/pickle"
)

const (
	// maxPickle bounds the structure of a checkpoint: some 200 bytes a tensor,
	// and whatever else the training framework recorded.
	maxPickle = 32 << 20
	// maxMarks bounds how deeply lists and tuples nest.
	maxMarks = 1000
	// maxNumber bounds the digits of a number.
	maxNumber = 256
)

var errTruncatedPickle = errors.New("the file ends inside its pickled structure; it is truncated or no checkpoint")

// readPickle reads one pickle up to its STOP without interpreting it. The
// pickle machine allocates what a length prefix claims, so this is where every
// length is held against the bytes that are really there. (Opcodes: Python's
// Lib/pickletools.py.)
func readPickle(r *bufio.Reader) ([]byte, error) {
	s := pickleScanner{r: r}
	for {
		done, err := s.opcode()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errTruncatedPickle
		}
		if err != nil || done {
			return s.out.Bytes(), err
		}
	}
}

type pickleScanner struct {
	r     *bufio.Reader
	out   bytes.Buffer
	marks int
}

// opcode copies one opcode with its arguments.
func (s *pickleScanner) opcode() (done bool, err error) {
	op, err := s.r.ReadByte()
	if err != nil {
		return false, err
	}
	at := s.out.Len()
	s.out.WriteByte(op)
	switch op {
	case '.':
		return true, nil
	case '(':
		if s.marks++; s.marks > maxMarks {
			return false, fmt.Errorf("its pickled structure nests more than %d deep", maxMarks)
		}
	case 't', 'l', 'd', 'e', 'u', 'o', '1', 0x90, 0x91:
		s.marks--
	case '0', '2', 'N', 'Q', 'R', 'a', 'b', ']', 's', ')', '}',
		0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x92, 0x93, 0x94, 0x97, 0x98:
	case 'F', 'I', 'L', 'P', 'g', 'p':
		return false, s.line(maxNumber)
	case 'S', 'V':
		return false, s.line(maxPickle)
	case 'c':
		return false, errors.Join(s.line(maxNumber), s.line(maxNumber))
	case 'i':
		s.marks--
		return false, errors.Join(s.line(maxNumber), s.line(maxNumber))
	case 'K', 'h', 'q', 0x80, 0x82:
		return false, s.bytes(1)
	case 'M', 0x83:
		return false, s.bytes(2)
	case 'J', 'j', 'r', 0x84:
		return false, s.bytes(4)
	case 'G', 0x95:
		if err := s.bytes(8); err != nil {
			return false, err
		}
		if size := binary.LittleEndian.Uint64(s.out.Bytes()[at+1:]); op == 0x95 && size > maxPickle {
			return false, fmt.Errorf("its pickled structure has a frame of %d bytes", size)
		}
	case 'U', 'C', 0x8c:
		return false, s.prefixed(1, maxPickle)
	case 'T', 'B', 'X':
		return false, s.prefixed(4, maxPickle)
	case 0x8d, 0x8e, 0x96:
		return false, s.prefixed(8, maxPickle)
	case 0x8a, 0x8b:
		width := 1
		if op == 0x8b {
			width = 4
		}
		if err := s.prefixed(width, maxNumber); err != nil {
			return false, err
		}
		// The pickle machine panics on a LONG of no bytes, which is a valid
		// zero: hand it the int of the same length instead.
		if b := s.out.Bytes()[at:]; len(b) == 1+width {
			b[0] = map[byte]byte{0x8a: 'K', 0x8b: 'J'}[op]
		}
	default:
		return false, fmt.Errorf("its pickled structure has the unknown opcode 0x%02x; it is damaged or no checkpoint", op)
	}
	return false, nil
}

// bytes copies n bytes; the buffer grows only as they arrive.
func (s *pickleScanner) bytes(n uint64) error {
	if uint64(s.out.Len())+n > maxPickle {
		return fmt.Errorf("its pickled structure is larger than %d MiB", maxPickle>>20)
	}
	_, err := io.CopyN(&s.out, s.r, int64(n))
	return err
}

// prefixed copies a little-endian length of width bytes and as many bytes.
func (s *pickleScanner) prefixed(width int, limit uint64) error {
	at := s.out.Len()
	if err := s.bytes(uint64(width)); err != nil {
		return err
	}
	var prefix [8]byte
	copy(prefix[:], s.out.Bytes()[at:])
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > limit {
		return fmt.Errorf("its pickled structure has an item of %d bytes", n)
	}
	return s.bytes(n)
}

func (s *pickleScanner) line(limit int) error {
	for range limit {
		b, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		if s.out.Len() >= maxPickle {
			break
		}
		s.out.WriteByte(b)
		if b == '\n' {
			return nil
		}
	}
	return errors.New("its pickled structure has a line that does not end")
}

// unpickle interprets a pickle that readPickle has checked. Classes become
// what classFor gives; persistentLoad resolves storages.
func unpickle(data []byte, persistentLoad func(any) (any, error)) (v any, err error) {
	// The pickle machine indexes and asserts without checks in places; on a
	// hostile pickle these panic.
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, fmt.Errorf("its pickled structure is damaged: %v", r)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = classFor
	u.PersistentLoad = persistentLoad
	return u.Load()
}
