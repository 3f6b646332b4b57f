package checkpoint

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entry is one of a zip file that is made by hand.
type entry struct {
	name, data string
	deflate    bool
	// noSum has a checksum of 0.
	noSum bool
	// at, unless 0, is one more than the number of the entry whose bytes it shares.
	at int
}

// zipOf makes a zip file; archive/zip writes no damaged ones.
func zipOf(entries ...entry) []byte {
	var b, directory bytes.Buffer
	le := binary.LittleEndian
	headers := make([]int, len(entries))
	for i, e := range entries {
		data, method := []byte(e.data), uint16(0)
		if e.deflate {
			var z bytes.Buffer
			w, _ := flate.NewWriter(&z, flate.BestSpeed)
			w.Write(data)
			w.Close()
			data, method = z.Bytes(), 8
		}
		sum := crc32.ChecksumIEEE([]byte(e.data))
		if e.noSum {
			sum = 0
		}
		fields := le.AppendUint16(nil, 20)
		fields = le.AppendUint16(fields, 0)
		fields = le.AppendUint16(fields, method)
		fields = le.AppendUint32(fields, 0)
		fields = le.AppendUint32(fields, sum)
		fields = le.AppendUint32(fields, uint32(len(data)))
		fields = le.AppendUint32(fields, uint32(len(e.data)))
		fields = le.AppendUint16(fields, uint16(len(e.name)))
		fields = le.AppendUint16(fields, 0)
		headers[i] = b.Len()
		if e.at > 0 {
			headers[i] = headers[e.at-1]
		} else {
			b.WriteString("PK\x03\x04")
			b.Write(fields)
			b.WriteString(e.name)
			b.Write(data)
		}
		directory.WriteString("PK\x01\x02\x14\x00")
		directory.Write(fields)
		directory.Write(make([]byte, 10))
		directory.Write(le.AppendUint32(nil, uint32(headers[i])))
		directory.WriteString(e.name)
	}
	at := b.Len()
	b.Write(directory.Bytes())
	b.WriteString("PK\x05\x06\x00\x00\x00\x00")
	b.Write(le.AppendUint16(nil, uint16(len(entries))))
	b.Write(le.AppendUint16(nil, uint16(len(entries))))
	b.Write(le.AppendUint32(nil, uint32(directory.Len())))
	b.Write(le.AppendUint32(nil, uint32(at)))
	b.WriteString("\x00\x00")
	return b.Bytes()
}

func fileOf(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pth")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// one is a pickle of a tensor of 16 elements of storage 0, a of storage 1 too.
var (
	one = "\x80\x02}" + str("a") + tensor16("") + "s."
	two = "\x80\x02}(" + str("a") + tensor16("") + str("b") + strings.Replace(tensor16(""), str("0"), str("1"), 1) + "u."
)

// TestArchives has zip files whose entries are not as torch writes them.
func TestArchives(t *testing.T) {
	zeros, ones := strings.Repeat("\x00", 64), strings.Repeat("\x01", 64)
	for _, c := range []struct {
		name    string
		entries []entry
		want    string // of the error of reading everything; none if empty
	}{
		{"as torch", []entry{{name: "x/data.pkl", data: one}, {name: "x/data/0", data: ones}, {name: "x/version", data: "3\n"}}, ""},
		{"deflated", []entry{{name: "x/data.pkl", data: one, deflate: true}, {name: "x/data/0", data: ones, deflate: true}}, ""},
		{"torch 2", []entry{{name: "x/data.pkl", data: one}, {name: "x/.format_version", data: "1"}, {name: "x/.storage_alignment", data: "64"},
			{name: "x/byteorder", data: "little"}, {name: "x/data/0", data: ones}, {name: "x/version", data: "3\n"},
			{name: "x/.data/serialization_id", data: "0123456789"}}, ""},
		{"a shared entry", []entry{{name: "x/data.pkl", data: two}, {name: "x/data/0", data: ones, deflate: true}, {name: "x/data/1", data: ones, deflate: true, at: 2}},
			`entries "x/data/0" and "x/data/1" share bytes`},
		{"a shared entry that nobody reads", []entry{{name: "x/data.pkl", data: one}, {name: "x/data/0", data: ones}, {name: "x/data/1", data: ones, at: 2}}, "share bytes"},
		{"a sum of 0", []entry{{name: "x/data.pkl", data: one}, {name: "x/data/0", data: ones, noSum: true}}, "CRC-32"},
		{"a pickle without a sum", []entry{{name: "x/data.pkl", data: one, noSum: true}, {name: "x/data/0", data: ones}}, "CRC-32"},
		{"no sums", []entry{{name: "x/data.pkl", data: one, noSum: true}, {name: "x/data/0", data: ones, noSum: true}}, ""},
		{"no sums, deflated", []entry{{name: "x/data.pkl", data: one, noSum: true, deflate: true}, {name: "x/data/0", data: ones, noSum: true, deflate: true}}, ""},
		{"more behind the pickle", []entry{{name: "x/data.pkl", data: one + "N."}, {name: "x/data/0", data: ones}}, "goes on after its pickle"},
		{"two structures", []entry{{name: "x/data.pkl", data: one}, {name: "y/data.pkl", data: one}, {name: "x/data/0", data: ones}}, "a checkpoint has one data.pkl"},
		{"an entry twice", []entry{{name: "x/data.pkl", data: one}, {name: "x/data/0", data: ones}, {name: "x/data/0", data: zeros}}, "stands in the file twice"},
		{"big-endian", []entry{{name: "x/data.pkl", data: one}, {name: "x/byteorder", data: "big"}, {name: "x/data/0", data: ones}}, `byte order is "big"`},
		{"no checkpoint", []entry{{name: "x/word.xml", data: "x"}}, "without data.pkl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Open(fileOf(t, zipOf(c.entries...)))
			if err == nil {
				defer f.Close()
				for _, ts := range f.Tensors {
					row := make([]float32, min(ts.Numel(), 1<<20))
					for at := 0; at < ts.Numel() && err == nil; at += len(row) {
						err = ts.ReadRows(row, at, at+len(row), new([]byte))
					}
				}
				if err == nil {
					err = f.Verify()
				}
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err == nil && f.Unchecked != strings.HasPrefix(c.name, "no sums") {
				t.Errorf("unchecked: %t", f.Unchecked)
			}
		})
	}
}
