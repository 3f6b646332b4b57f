package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxSeed keeps large files out of the seeds, which the fuzzer would spend its
// time on making smaller.
const maxSeed = 6 << 10

// openBytes opens a checkpoint that lies in memory.
func openBytes(data []byte, want Choice) (*File, error) {
	c := &File{Path: "x.pth"}
	return c, c.read(bytes.NewReader(data), int64(len(data)), want)
}

// readAll reads what the file says it holds. Any outcome but a crash or a hang is
// fine.
func readAll(c *File) {
	for _, ts := range c.Tensors {
		if ts.Check() == nil && ts.Numel() < 1<<12 {
			ts.Float32()
			ts.ReadRows(make([]float32, 1), 0, 1, new([]byte))
		}
	}
	c.Verify()
	c.Notes()
	c.StripPrefix(c.CommonPrefix())
	for _, m := range c.Modules {
		m.Attribute("eps")
	}
}

// FuzzOpen feeds damaged checkpoints.
func FuzzOpen(f *testing.F) {
	for _, pattern := range []string{"bad/*", "ok/*", "libraries/*.p*"} {
		paths, err := filepath.Glob(filepath.Join(fixtures, pattern))
		if err != nil || len(paths) == 0 {
			f.Fatalf("no fixtures for %s: %v", pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			if len(data) <= maxSeed {
				f.Add(data, false)
			}
		}
	}
	f.Add([]byte("\x40\x00\x00\x00\x00\x00\x00\x00"+`{"a.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}    `+"\x00\x00\x80?\x00\x00\x80?"), false)
	f.Fuzz(func(_ *testing.T, data []byte, averaged bool) {
		if len(data) > 1<<20 {
			return
		}
		if c, err := openBytes(data, Choice{Averaged: averaged}); err == nil {
			readAll(c)
		}
	})
}

// FuzzStructure makes files whose container is whole and whose structure is put
// together of what state dicts and networks are made of, so that the fuzzer gets
// past the checksums and to the tensors.
func FuzzStructure(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03"), uint8(0))
	f.Add([]byte("\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19"), uint8(1))
	f.Add([]byte("\x00\x20\x06\x01\x21\x06\x02\x02"), uint8(2))
	f.Add([]byte("\x1a\x1b\x1c\x1d\x1e\x1f"), uint8(7))
	f.Fuzz(func(_ *testing.T, data []byte, kind uint8) {
		if len(data) > 1<<12 {
			return
		}
		var file []byte
		pickle := structure(data)
		switch values := strings.Repeat("\x00\x00\x80?", 16); {
		case kind%4 == 3:
			count := "\x10\x00\x00\x00\x00\x00\x00\x00"
			file = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + "\x80\x02M\xe9\x03." + "\x80\x02}." + pickle +
				"\x80\x02](" + str("0") + "e." + count + values)
		default:
			file = zipOf(entry{name: "a/data.pkl", data: pickle, deflate: kind&1 > 0},
				entry{name: "a/data/0", data: values, deflate: kind&2 > 0, noSum: kind&16 > 0},
				entry{name: "a/data/1", data: values, deflate: kind&2 > 0, noSum: kind&32 > 0})
		}
		c, err := openBytes(file, Choice{Averaged: kind&64 > 0, Key: map[bool]string{true: "a.b"}[kind&128 > 0]})
		if err == nil {
			readAll(c)
		}
	})
}

// structure makes a pickle of bytes, each of which chooses a part.
func structure(data []byte) string {
	sized := func(numel, offset, shape, strides string) string {
		return "ctorch._utils\n_rebuild_tensor_v2\n((" + str("storage") + "ctorch\nHalfStorage\n" + str("1") + str("cpu") + numel + "tQ" + offset + "(" + shape + "t(" + strides + "t\x89}tR"
	}
	parts := []string{
		"(", "u", "t", "e", "}", "]", ")", "R", "\x81", "b", "N", "K\x02", "q\x01", "h\x01", "q\x02", "h\x02", "0", "2", "s", "a",
		tensor16(""), tensor16("}" + str("neg") + "\x88s"), scalar,
		sized("K\x20", "K\x00", "K\x04K\x08", "K\x01K\x04"), sized("K\x20", "K\x00", "K\x04K\x04K\x04", "K\x05K\x02K\x01"), sized("K\x20", "K\x1f", "K\x02", "K\x01"),
		sized("J\x00\x00\x00\x7f", "K\x00", "J\xff\xff\xff\x7f", "K\x00"), sized("K\x20", "J\xff\xff\xff\xff", "K\x02", "K\x01"),
		str("a"), str("a.weight"), str("module.b.weight"), str("state_dict"), str("model"), str("ema"), str("module"), str("net"), str("meta"), str("CLASSES"),
		str("_parameters"), str("_buffers"), str("_modules"), str("_non_persistent_buffers_set"), str("total_ops"), str("ema_a"), str(""),
		module(dict("w", tensor16("")), dict("b", tensor16("")), dict()), state("x.weight", "x.bias"), "cm\nC\n)\x81", dict(),
		"ctorch._utils\n_rebuild_parameter\n(", "ctorch._tensor\n_rebuild_from_type_v2\n(", "ctorch._utils\n_rebuild_device_tensor_from_numpy\n(",
		"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x02\x85cnumpy\ndtype\n" + str("f4") + "\x89\x88\x87R\x89C\x08\x00\x00\x80?\x00\x00\x80?tb",
		"ccollections\nOrderedDict\n", "ctorch\nSize\n", "cos\nsystem\n", "\x85", "\x86", "\x87", "Q", "(" + str("module") + "cm\nC\nNNtQ",
	}
	var b strings.Builder
	b.WriteString("\x80\x03")
	for _, c := range data {
		b.WriteString(parts[int(c)%len(parts)])
	}
	return b.String() + "."
}
