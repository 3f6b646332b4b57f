package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"repvgg/internal/python/pickle"
	"repvgg/internal/tensor"
)

// A safetensors file is the length of its header (8 bytes, little-endian), the
// header, a JSON object, and the values of all tensors without gaps:
//
//	{"NAME": {"dtype": "F32", "shape": [64, 3, 3, 3], "data_offsets": [FROM, TO]}, ...}
//
// with offsets in bytes after the header. The key __metadata__ holds strings.
// See https://huggingface.co/docs/safetensors.

// maxHeader bounds the header; that of a large RepVGG takes 0.2 MB.
const maxHeader = 16 << 20

const metadataKey = "__metadata__"

var safetensorsTypes = map[string]tensor.DType{
	"F64": tensor.Float64, "F32": tensor.Float32, "F16": tensor.Float16, "BF16": tensor.BFloat16,
	"I64": tensor.Int64, "I32": tensor.Int32, "I16": tensor.Int16, "I8": tensor.Int8,
	"U8": tensor.Uint8, "BOOL": tensor.Bool,
}

// headerEntry describes a tensor in the header.
type headerEntry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets []int  `json:"data_offsets"`
}

// isSafetensors tells from a file's first bytes: no header is so long that the
// upper half of its length is not 0.
func isSafetensors(head []byte) bool {
	return len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint32(head[4:]) == 0
}

// readSafetensors reads the header.
func (c *File) readSafetensors(r io.ReaderAt, size int64, want Choice) error {
	switch {
	case want.Averaged:
		return errNoAverages
	case want.Key != "":
		return fmt.Errorf("it holds no state dict under %.80q: a safetensors file has tensors only", want.Key)
	}
	entries, types, err := openSafetensors(r, size)
	if err != nil {
		return err
	}
	if err := c.readState(entries); err != nil {
		return err
	}
	switch {
	case len(entries) == 0:
		return errors.New("it holds no tensors")
	case len(c.Names) == 0:
		return fmt.Errorf("it holds no tensors of a type that is read: theirs are %s", strings.Join(types, ", "))
	}
	return nil
}

// openSafetensors gives the tensors and the types that they have. A tensor of a
// type that is not read comes as nil.
func openSafetensors(f io.ReaderAt, size int64) (tensors []pickle.Entry, types []string, err error) {
	var length [8]byte
	if _, err := f.ReadAt(length[:], 0); err != nil {
		return nil, nil, err
	}
	n := int64(binary.LittleEndian.Uint64(length[:]))
	begin := int64(len(length)) + n
	switch {
	case begin > size:
		return nil, nil, fmt.Errorf("its safetensors header takes %d bytes of a file of %d; it is truncated or damaged", n, size)
	case n > maxHeader:
		return nil, nil, fmt.Errorf("its safetensors header is larger than %d MiB", maxHeader>>20)
	}
	header := make([]byte, n)
	if _, err := f.ReadAt(header, int64(len(length))); err != nil {
		return nil, nil, err
	}
	names, entries, err := parseHeader(header)
	if err != nil {
		return nil, nil, fmt.Errorf("its safetensors header is damaged: %w", err)
	}
	if err := checkOffsets(names, entries, int(size-begin)); err != nil {
		return nil, nil, err
	}
	seen := make(map[string]bool)
	for _, name := range names {
		e := entries[name]
		data := io.NewSectionReader(f, begin+int64(e.Offsets[0]), int64(e.size()))
		tensors = append(tensors, pickle.Entry{Key: name, Value: e.open(name, data)})
		seen[e.DType] = true
	}
	for name := range seen {
		types = append(types, fmt.Sprintf("%.20q", name))
	}
	slices.Sort(types)
	return tensors, types, nil
}

// parseHeader gives the tensors' names in the header's order. It takes the JSON
// apart token by token: no key may be there twice or in other letters, which two
// readers could understand in two ways.
func parseHeader(header []byte) (names []string, entries map[string]*headerEntry, err error) {
	entries = make(map[string]*headerEntry)
	d := json.NewDecoder(bytes.NewReader(header))
	d.UseNumber()
	err = object(d, func(name string) error {
		if name == metadataKey {
			return d.Decode(new(json.RawMessage))
		}
		if entries[name] != nil {
			return fmt.Errorf("tensor %.80q is there twice", name)
		}
		e := new(headerEntry)
		if err := e.decode(d); err != nil {
			return fmt.Errorf("tensor %.80q: %w", name, err)
		}
		names, entries[name] = append(names, name), e
		return nil
	})
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // of the header, not of the file
	}
	if err == nil && len(bytes.TrimRight(header[d.InputOffset():], " ")) > 0 {
		err = errors.New("it goes on after its end")
	}
	return names, entries, err
}

// object reads a JSON object; value is called to read that of each key.
func object(d *json.Decoder, value func(key string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return cmp.Or(err, errors.New("something else stands where an object belongs"))
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if err := value(key.(string)); err != nil { // JSON has no other keys
			return err
		}
	}
	_, err := d.Token()
	return err
}

// decode reads the entry of a tensor and holds its shape against its number of
// bytes.
func (e *headerEntry) decode(d *json.Decoder) error {
	seen := make(map[string]bool)
	err := object(d, func(key string) (err error) {
		if seen[key] {
			return fmt.Errorf("%.80q is there twice", key)
		}
		seen[key] = true
		switch key {
		case "dtype":
			t, err := d.Token()
			if e.DType, _ = t.(string); e.DType == "" {
				return cmp.Or(err, errors.New("its dtype is not a string"))
			}
		case "shape":
			e.Shape, err = integers(d)
		case "data_offsets":
			e.Offsets, err = integers(d)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return fmt.Errorf("%.80q: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(e.Offsets) != 2 || e.Offsets[1] < e.Offsets[0] || !seen["shape"] || !seen["dtype"] {
		return errors.New("it has no dtype, shape and two data_offsets in ascending order")
	}
	return e.check()
}

// integers reads a list of whole numbers from 0, as many as a tensor can have
// dimensions.
func integers(d *json.Decoder) ([]int, error) {
	wrong := fmt.Errorf("want a list of at most %d whole numbers from 0", maxDims)
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, cmp.Or(err, wrong)
	}
	list := []int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		text, _ := t.(json.Number)
		n, err := strconv.Atoi(string(text))
		if err != nil || n < 0 || len(list) == maxDims {
			return nil, wrong
		}
		list = append(list, n)
	}
	_, err := d.Token()
	return list, err
}

// size is the number of bytes.
func (e *headerEntry) size() int { return e.Offsets[1] - e.Offsets[0] }

// check holds the tensor's shape against its number of bytes.
func (e *headerEntry) check() error {
	dtype, ok := safetensorsTypes[e.DType]
	if !ok {
		return nil // nobody will read it
	}
	want := dtype.Size()
	for _, d := range e.Shape {
		if d > 0 && want > math.MaxInt/d {
			return fmt.Errorf("shape %s is too large", tensor.FormatShape(e.Shape))
		}
		want *= d
	}
	if e.size() != want {
		return fmt.Errorf("it has %d bytes, but shape %s of %s takes %d", e.size(), tensor.FormatShape(e.Shape), e.DType, want)
	}
	return nil
}

// checkOffsets holds the tensors to the format's rule: they lie one after the
// other and fill the size bytes after the header.
func checkOffsets(names []string, entries map[string]*headerEntry, size int) error {
	byOffset := slices.Clone(names)
	slices.SortStableFunc(byOffset, func(a, b string) int {
		return slices.Compare(entries[a].Offsets, entries[b].Offsets)
	})
	at := 0
	for _, name := range byOffset {
		from, to := entries[name].Offsets[0], entries[name].Offsets[1]
		if from != at || to > size {
			return fmt.Errorf("tensor %.80q lies at bytes %d to %d, where byte %d is the next and %d the last; the file is truncated or damaged", name, from, to, at, size)
		}
		at = to
	}
	if at != size {
		return fmt.Errorf("its tensors take %d bytes, but %d follow the header; the file is damaged", at, size)
	}
	return nil
}

// open is the tensor whose values are data, or nil if its type is not read.
func (e *headerEntry) open(name string, data *io.SectionReader) any {
	dtype, ok := safetensorsTypes[e.DType]
	if !ok {
		return nil
	}
	s := &storage{key: name, dtype: dtype, numel: e.size() / dtype.Size(), find: func() (source, error) { return unchecked{data}, nil }}
	return &Tensor{Name: name, View: tensor.View{DType: dtype, Shape: e.Shape, Strides: tensor.Strides(e.Shape)}, storage: s}
}

// safetensorsFormat writes a safetensors file; the tensors stand in it in the
// order they are given in.
type safetensorsFormat struct{ out *countingWriter }

func (f *safetensorsFormat) begin(specs []tensor.Spec) error {
	// Made by hand, since a map would not keep the order. "format" is what
	// Python's readers ask for.
	header := []byte(`{"` + metadataKey + `":{"format":"pt"}`)
	at := 0
	for _, s := range specs {
		name, err := json.Marshal(s.Name)
		if err != nil {
			return err
		}
		end := at + s.Numel()*tensor.Float32.Size()
		entry, err := json.Marshal(headerEntry{DType: "F32", Shape: append([]int{}, s.Shape...), Offsets: []int{at, end}})
		if err != nil {
			return err
		}
		header = append(append(append(append(header, ','), name...), ':'), entry...)
		at = end
	}
	header = append(header, '}')
	for len(header)%8 != 0 { // which aligns the values
		header = append(header, ' ')
	}
	if _, err := f.out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))); err != nil {
		return err
	}
	_, err := f.out.Write(header)
	return err
}

func (f *safetensorsFormat) start(int) (io.Writer, error) { return f.out, nil }

func (f *safetensorsFormat) end() error { return nil }
