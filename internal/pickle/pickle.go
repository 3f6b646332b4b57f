// Package pickle reads Python pickles that come from anyone. Nothing that a
// pickle names is called: its reader says what each class or function stands
// for. Every length is held against the bytes that are really there before
// anything is allocated.
package pickle

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// The Python values of which there is more than one in Go: the others are nil,
// bool, int, float64, *big.Int, string and []byte.
type (
	// Tuple is a Python tuple.
	Tuple = types.Tuple
	// List is a Python list.
	List = types.List
	// Dict is a Python dict.
	Dict = types.Dict
	// OrderedDict is a Python collections.OrderedDict.
	OrderedDict = types.OrderedDict
	// OrderedDictEntry is an item of the list in an OrderedDict.
	OrderedDictEntry = types.OrderedDictEntry
)

const (
	// maxMarks bounds how deeply lists and tuples nest.
	maxMarks = 1000
	// maxNumber bounds the digits of a number and the names of classes.
	maxNumber = 256
	// maxCost bounds what interpreting a pickle takes, in opcodes; one that makes
	// an object or remembers one counts for several. A training run's checkpoint
	// has some ten thousand.
	maxCost = 4 << 20
)

// cost is that of an opcode: about a sixteenth of the bytes that the pickle
// machine allocates for it.
func cost(op byte) int {
	switch op {
	case '}', ']', ')', 'l', 'd', 't', 'o', 'i', 'R', 0x81, 0x85, 0x86, 0x87, 0x8f, 0x91, 0x92:
		return 16
	case '(', 'p', 'q', 'r', 'c', 0x93, 0x94:
		return 8
	}
	return 1
}

// ErrTruncated says that a file ends inside a pickle.
var ErrTruncated = errors.New("the file ends inside its pickled structure; it is truncated or damaged")

// Read reads one pickle of at most limit bytes up to its STOP, without
// interpreting it. The pickle machine allocates what a length prefix claims, so
// this is where every length is checked. (Opcodes: Python's Lib/pickletools.py.)
func Read(r *bufio.Reader, limit int) ([]byte, error) {
	s := scanner{r: r, limit: uint64(limit)}
	for {
		done, err := s.opcode()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, ErrTruncated
		}
		if err != nil {
			return nil, err
		}
		if done {
			return s.out.Bytes(), nil
		}
	}
}

type scanner struct {
	r     *bufio.Reader
	out   bytes.Buffer
	limit uint64
	marks int
	cost  int
}

// opcode copies one opcode with its arguments.
func (s *scanner) opcode() (done bool, err error) {
	op, err := s.r.ReadByte()
	if err != nil {
		return false, err
	}
	if uint64(s.out.Len()) >= s.limit {
		return false, s.tooLarge()
	}
	if s.cost += cost(op); s.cost > maxCost {
		return false, errors.New("its pickled structure holds millions of objects, more than any checkpoint's")
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
		return false, s.line(s.limit)
	case 'c':
		return false, s.name()
	case 'i':
		s.marks--
		return false, s.name()
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
		if size := binary.LittleEndian.Uint64(s.out.Bytes()[at+1:]); op == 0x95 && size > s.limit {
			return false, fmt.Errorf("its pickled structure has a frame of %d bytes", size)
		}
	case 'U', 'C', 0x8c:
		return false, s.prefixed(1, s.limit)
	case 'T', 'B', 'X':
		return false, s.prefixed(4, s.limit)
	case 0x8d, 0x8e, 0x96:
		return false, s.prefixed(8, s.limit)
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
		return false, fmt.Errorf("its pickled structure has the unknown opcode 0x%02x; it is damaged or no pickle", op)
	}
	return false, nil
}

func (s *scanner) tooLarge() error {
	return fmt.Errorf("its pickled structure is larger than %d MiB", s.limit>>20)
}

// bytes copies n bytes; the buffer grows only as they arrive.
func (s *scanner) bytes(n uint64) error {
	if uint64(s.out.Len())+n > s.limit {
		return s.tooLarge()
	}
	_, err := io.CopyN(&s.out, s.r, int64(n))
	return err
}

// prefixed copies a little-endian length of width bytes and as many bytes.
func (s *scanner) prefixed(width int, limit uint64) error {
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

// name copies the two lines of a class.
func (s *scanner) name() error {
	if err := s.line(maxNumber); err != nil {
		return err
	}
	return s.line(maxNumber)
}

func (s *scanner) line(limit uint64) error {
	for range limit {
		b, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		if uint64(s.out.Len()) >= s.limit {
			break
		}
		s.out.WriteByte(b)
		if b == '\n' {
			return nil
		}
	}
	return errors.New("its pickled structure has a line that does not end")
}

// Load interprets a pickle that Read has checked. Classes and functions become
// what find gives; persistent resolves persistent ids, and may be nil. What find
// gives is called if it has a method Call(...any) (any, error).
func Load(data []byte, find func(module, name string) (any, error), persistent func(id any) (any, error)) (v any, err error) {
	// The pickle machine indexes and asserts without checks in places; on a
	// hostile pickle these panic.
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, fmt.Errorf("its pickled structure is damaged: %v", r)
		}
	}()
	var own error // of find or persistent, whose words are for users
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = func(module, name string) (any, error) {
		v, err := find(module, name)
		own = cmp.Or(own, err)
		return v, err
	}
	if persistent != nil {
		u.PersistentLoad = func(id any) (any, error) {
			v, err := persistent(id)
			own = cmp.Or(own, err)
			return v, err
		}
	}
	v, err = u.Load()
	if own != nil {
		return nil, own
	}
	if err != nil {
		// After a colon the machine quotes its own values, of any size.
		text, _, _ := strings.Cut(err.Error(), ":")
		return nil, fmt.Errorf("its pickled structure is damaged: %s", text)
	}
	return v, nil
}
