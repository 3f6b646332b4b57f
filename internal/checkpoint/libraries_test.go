package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/testkit/need"
)

// library is a checkpoint that the code of other people saved, and what PyTorch
// finds in it: an entry of libraries.json.
type library struct {
	File    string
	Key     string
	Error   string
	Tensors []struct {
		Name   string
		Shape  []int
		SHA256 string
	}
	Counters, Averages int
	Averaged           bool
	Modules            bool
	Suspicious         []string
	Globals            []string
}

// TestLibraries reads what some sixty kinds of training code saved.
func TestLibraries(t *testing.T) { checkLibraries(t, filepath.Join(fixtures, "libraries"), 58) }

// TestLibrariesAgain has them saved anew, by what the machine has of the
// libraries: PyTorch at least.
func TestLibrariesAgain(t *testing.T) {
	python := need.Python(t, need.Torch, "torch", "numpy")
	folder := t.TempDir()
	need.Script(t, python, filepath.Join(fixtures, "libraries.py"), folder)
	checkLibraries(t, folder, 49)
}

func checkLibraries(t *testing.T, folder string, atLeast int) {
	data, err := os.ReadFile(filepath.Join(folder, "libraries.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []library
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < atLeast {
		t.Errorf("%d checkpoints, want %d at least", len(all), atLeast)
	}
	for _, l := range all {
		t.Run(l.File, func(t *testing.T) { l.check(t, filepath.Join(folder, l.File)) })
	}
	if _, err := os.Stat("/tmp/repvgg_ran_a_command"); err == nil {
		t.Error("a checkpoint ran its command")
	}
}

func (l *library) check(t *testing.T, path string) {
	if globals, err := ReadGlobals(path); err == nil {
		checkGlobals(t, l, globals)
	} else if !strings.Contains(err.Error(), l.Error) {
		t.Errorf("error %v", err)
	}
	c, err := Open(path)
	if l.Error != "" {
		if err == nil {
			c.Close()
			t.Fatalf("opened %q", c.Key)
		}
		if !strings.Contains(err.Error(), l.Error) {
			t.Errorf("error %v, want %q", err, l.Error)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Key != l.Key || c.Averaged != l.Averaged || c.Averages != l.Averages || len(c.Counters) != l.Counters || (c.Modules != nil) != l.Modules {
		t.Errorf("key %q, averaged %t, %d averages, %d counters, %d modules; want %q, %t, %d, %d, %t",
			c.Key, c.Averaged, c.Averages, len(c.Counters), len(c.Modules), l.Key, l.Averaged, l.Averages, l.Counters, l.Modules)
	}
	if !slices.Equal(c.Suspicious(), l.Suspicious) {
		t.Errorf("suspicious %q, want %q", c.Suspicious(), l.Suspicious)
	}
	if len(c.Names) != len(l.Tensors) {
		t.Fatalf("tensors %q, want %d", c.Names, len(l.Tensors))
	}
	for i, want := range l.Tensors {
		if c.Names[i] != want.Name || !slices.Equal(c.Tensors[want.Name].Shape, want.Shape) {
			t.Fatalf("tensor %d is %q, want %q of shape %v", i, c.Names[i], want.Name, want.Shape)
		}
		values, err := c.Float32(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		for _, v := range values {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
		if hex.EncodeToString(h.Sum(nil)) != want.SHA256 {
			t.Errorf("%s has other values", want.Name)
		}
	}
	if err := c.Verify(); err != nil {
		t.Error(err)
	}
}

// checkGlobals holds the names of classes and functions against those that Python's
// pickletools found.
func checkGlobals(t *testing.T, l *library, globals []Global) {
	t.Helper()
	var names []string
	for _, g := range globals {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, l.Globals) {
		t.Errorf("globals %q, want %q", names, l.Globals)
	}
}
