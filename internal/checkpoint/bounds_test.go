//go:build linux && !race

package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openVariable names a file that the test binary opens and reads, and nothing
// else: a process whose time and memory can be looked at.
const openVariable = "REPVGG_TEST_OPEN"

func TestMain(m *testing.M) {
	if path := os.Getenv(openVariable); path != "" {
		status := readWhole(path)
		// Not that of Getrusage, which counts the process that started this one.
		if text, err := os.ReadFile("/proc/self/status"); err == nil {
			os.Stdout.Write(text)
		}
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// readWhole does with a file what converting does: it reads every tensor in
// slices. It exits as the program does.
func readWhole(path string) int {
	c, err := Open(path)
	if err == nil {
		values, buf := make([]float32, 256<<10), []byte(nil)
		for _, name := range c.Names {
			ts := c.Tensors[name]
			if err = ts.Check(); err != nil {
				break
			}
			if ts.Numel() > 1<<27 { // no network that the test converts has it
				continue
			}
			rows := ts.rows()
			width := ts.Numel() / max(rows.Shape[0], 1)
			step := max(1, len(values)/max(width, 1))
			for from := 0; from < rows.Shape[0] && err == nil && width <= len(values); from += step {
				to := min(from+step, rows.Shape[0])
				err = ts.ReadRows(values[:(to-from)*width], from, to, &buf)
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			err = c.Verify()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// hostile are small files that are made to take much time or memory.
func hostile() map[string][]byte {
	const proto = "\x80\x02"
	deflated := func(pickle string) []byte {
		return zipOf(entry{name: "a/data.pkl", data: pickle, deflate: true}, entry{name: "a/data/0", data: strings.Repeat("\x00", 64)})
	}
	legacy := func(pickle, keys, storages string) []byte {
		return []byte(proto + "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + proto + "M\xe9\x03." + proto + "}." + proto + pickle + "." + proto + keys + "." + storages)
	}
	files := map[string][]byte{
		"dicts":            deflated(proto + strings.Repeat("}", 30<<20) + "."),
		"dicts in a tuple": deflated(proto + "(" + strings.Repeat("}", 350_000) + "t."),
		"lists in lists":   deflated(proto + strings.Repeat("]", 15<<20) + strings.Repeat("a", 15<<20-1) + "."),
		"ordered dicts":    deflated(proto + "ccollections\nOrderedDict\nq\x00" + strings.Repeat("h\x00)R", 7<<20) + "."),
		"numbers":          deflated(proto + "](" + strings.Repeat("G?\xf8\x00\x00\x00\x00\x00\x00", 300_000) + "e."),
		"lists of numbers": deflated(proto + "]" + strings.Repeat("(K\x01K\x02K\x03K\x04K\x05K\x06K\x07e", 3<<19) + "."),
		"copies":           deflated(proto + "](" + strings.Repeat("N", 1<<15) + "e\x85q\x000c__builtin__\nlist\nq\x01" + strings.Repeat("h\x01h\x00R0", 4<<20) + "."),
		"texts":            deflated(proto + "](" + strings.Repeat("X\xff\x0f\x00\x00"+strings.Repeat("x", 4095), 7<<10) + "e."),
		"a text":           deflated(proto + "X\x00\x00\xe0\x01" + strings.Repeat("x", 30<<20) + "."),
		"classes":          deflated(proto + strings.Repeat("cm\nC\n0", 5<<20) + "N."),
		"tensors":          deflated(proto + dict("a.w", tensor16("")+"q\x01") + "0](" + strings.Repeat("h\x01", 15<<20) + "e."),
		"modules":          deflated(proto + doubled(60) + "."),
		"marks":            deflated(proto + strings.Repeat("(]", 999) + strings.Repeat("]", 30<<20) + "."),
		"no STOP":          deflated(proto + strings.Repeat("N0", 15<<20)),
		"names of tensors": deflated(proto + manyTensors(60_000) + "."),
		"keys of storages": legacy(dict("a.w", tensor16("")), "]("+strings.Repeat(str("0"), 1<<20)+"e", ""),
		"storages":         legacy(manyStorages(100_000), "]", ""),
		"a claim":          legacy(dict("a.w", strings.Replace(tensor16(""), "K\x10tQ", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x0ftQ", 1)), "]"+str("0")+"a", "\x10\x00\x00\x00\x00\x00\x00\x00"),
		"a header":         safetensors("{" + strings.Repeat(`"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`, 200_000)),
		"a deep header":    safetensors(`{"a":` + strings.Repeat("[", 8<<20)),
		"a long header":    safetensors(manyHeaders(100_000)),
	}
	// 98 entries that share one of a third of a gigabyte.
	bomb := []entry{{name: "a/data.pkl", data: proto + state("a.w") + "."}, {name: "a/data/0", data: strings.Repeat("\x00", 320<<20), deflate: true}}
	for i := range 98 {
		bomb = append(bomb, entry{name: fmt.Sprint("a/data/", i+1), data: bomb[1].data[:1], at: 2})
	}
	files["shared entries"] = zipOf(bomb...)
	files["an inflated entry"] = zipOf(entry{name: "a/data.pkl", data: proto + dict("a.w", strings.NewReplacer("K\x10t", "J\x00\x00\x00\x05t").Replace(tensor16(""))) + "."}, bomb[1])
	// 4,096 x 4,096 elements of a storage of 800 kB, far apart.
	wild := "ctorch._utils\n_rebuild_tensor_v2\n((" + str("storage") + "ctorch\nFloatStorage\n" + str("0") + str("cpu") + "J\x41\x0d\x03\x00tQK\x00(M\x00\x10M\x00\x10t(K\x18K\x18t\x89}tR"
	files["strides"] = zipOf(entry{name: "a/data.pkl", data: proto + dict("a.w", wild, "b.w", wild) + "."}, entry{name: "a/data/0", data: strings.Repeat("\x00", 4*200_001)})
	var many []entry
	for i := range 20_000 {
		many = append(many, entry{name: fmt.Sprint("a/data/", i)})
	}
	files["entries"] = zipOf(append(many, entry{name: "a/data.pkl", data: proto + state("a.w") + "."})...)
	noise := make([]byte, 4<<20)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	files["noise"] = zipOf(entry{name: "a/data.pkl", data: proto + string(noise)})
	files["noisy numbers"] = zipOf(entry{name: "a/data.pkl", data: proto + "](" + strings.ReplaceAll(string(noise), ".", "K") + "e."})
	return files
}

func safetensors(header string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`, i)
	}
	return "{" + strings.TrimSuffix(b.String(), ",") + "}"
}

// doubled is a module that holds a module twice, which holds one twice, and so on.
func doubled(n int) string {
	s := module(dict("w", tensor16("")), dict(), dict()) + "q\x01"
	for range n {
		s += "0" + module(dict(), dict(), dict("a", "h\x01", "b", "h\x01")) + "q\x01"
	}
	return s
}

func manyTensors(n int) string {
	var b strings.Builder
	b.WriteString("}(")
	for i := range n {
		b.WriteString(str(fmt.Sprintf("a.%d", i)) + tensor16(""))
	}
	return b.String() + "u"
}

func manyStorages(n int) string {
	var b strings.Builder
	b.WriteString("}(")
	for i := range n {
		b.WriteString(str(fmt.Sprintf("a.%d", i)) + strings.Replace(tensor16(""), str("0"), str(fmt.Sprint(i)), 1))
	}
	return b.String() + "u"
}

// TestBounds opens hostile files, each in a process of its own, which may take
// two seconds and 100 MB.
func TestBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("some gigabytes are inflated")
	}
	files := hostile()
	paths, err := filepath.Glob(filepath.Join(fixtures, "bad", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = data
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), openVariable+"="+fileOf(t, data))
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run()
			state := cmd.ProcessState
			if state.ExitCode() != 0 && (state.ExitCode() != 1 || strings.Count(stderr.String(), "\n") != 1) {
				t.Fatalf("%v: %.1000s", state, stderr.String())
			}
			took := state.UserTime() + state.SystemTime()
			var peak int
			_, status, _ := strings.Cut(stdout.String(), "VmHWM:")
			if _, err := fmt.Sscan(status, &peak); err != nil {
				t.Fatal(err)
			}
			peak >>= 10 // of KB
			t.Logf("%d bytes: %.2f s, %d MB: %s", len(data), took.Seconds(), peak, strings.TrimSpace(stderr.String()))
			if took > 2*time.Second || peak > 100 {
				t.Errorf("took %v and %d MB", took, peak)
			}
		})
	}
}
