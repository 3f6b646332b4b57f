package checkpoint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// scalar pickles a tensor of one element.
var scalar = strings.Replace(tensor16(""), "(K\x10t(K\x01t", "))", 1)

// openHandmade opens a checkpoint with this structure; see handmade.
func openHandmade(t *testing.T, pickle string) *File {
	t.Helper()
	c, err := Open(handmade(t, "\x80\x02"+pickle+"."))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// dict pickles a dict of keys and pickled values in turn.
func dict(items ...string) string {
	var b strings.Builder
	b.WriteString("}(")
	for i := 0; i < len(items); i += 2 {
		b.WriteString(str(items[i]) + items[i+1])
	}
	return b.String() + "u"
}

// state pickles a state dict with these names.
func state(names ...string) string {
	var items []string
	for _, name := range names {
		items = append(items, name, tensor16(""))
	}
	return dict(items...)
}

// TestKeys finds the state dict wherever it stands.
func TestKeys(t *testing.T) {
	sd, other, ema := state("net.weight"), state("other.weight", "other.bias"), state("net.weight", "net.bias")
	for _, c := range []struct {
		name, pickle, key string
		averages          int
	}{
		{"the file", sd, "", 0},
		{"mmcv", dict("meta", dict(), "state_dict", sd, "optimizer", other), "state_dict", 0},
		{"mmcv beside another", dict("other", other, "state_dict", sd), "state_dict", 0},
		{"the official code", dict("model", sd, "net", other), "model", 0},
		{"any key", dict("epoch", "K\x01", "net", sd), "net", 0},
		{"any key beside an optimizer", dict("optim", other, "optimizer_state_dict", other, "lr_scheduler", other, "net", sd), "net", 0},
		{"any key beside a tensor", dict("best", tensor16(""), "net", sd), "net", 0},
		{"any key beside averages", dict("ema_net", ema, "net", sd), "net", 2},
		{"inside", dict("ckpt", dict("state_dict", sd)), "ckpt.state_dict", 0},
		{"not as deep", dict("ckpt", dict("a", other), "net", sd), "net", 0},
		{"averages alone", dict("model_ema", sd), "model_ema", 0},
		{"averages inside", dict("ema", dict("module", sd, "updates", "K\x01")), "ema.module", 0},
		{"averages by any name", dict("swa_state", sd, "epoch", "K\x01"), "swa_state", 0},
		{"in a list", dict("models", "]"+sd+"a"), "models.0", 0},
		{"in a tuple", sd + "K\x01\x86", "0", 0},
		{"in an object", "cm\nState\n)\x81" + dict("weights", sd) + "b", "weights", 0},
		{"in a kind of dict", "cm\nConfig\n)\x81(" + str("net") + sd + "u", "net", 0},
		{"names without dots", dict("net", state("weight", "bias")), "net", 0},
		{"no dots beside dots", dict("stats", state("mean", "std"), "net", sd), "net", 0},
		{"twice the same", dict("a", sd+"q\x01", "b", "h\x01"), "a", 0},
		{"Python 2", "ccollections\nOrderedDict\n](](U\x0anet.weight" + tensor16("") + "ee\x85R", "", 0},
	} {
		f := openHandmade(t, c.pickle)
		if f.Key != c.key || f.Averages != c.averages || f.Averaged != strings.Contains(c.name, "averages ") {
			t.Errorf("%s: key %q, %d averages, averaged %t; want %q and %d", c.name, f.Key, f.Averages, f.Averaged, c.key, c.averages)
		}
	}
	for _, c := range []struct{ name, pickle, want string }{
		{"several", dict("student", sd, "teacher", other), `several state dicts, and it is not clear which one is meant: "student" (1 tensors), "teacher" (2 tensors)`},
		{"parts of one", dict("state_dict", dict("backbone", sd, "head", other)), `"state_dict.backbone" (1 tensors), "state_dict.head" (2 tensors)`},
		{"several averages", dict("a_ema", sd, "b_ema", other), `"a_ema" (1 tensors), "b_ema" (2 tensors)`},
		{"no tensors", dict("epoch", "K\x01", "args", "cargparse\nNamespace\n)\x81}b", "net", dict("a", "N")), `stands under its keys "epoch" (int), "args" ("argparse.Namespace"), "net" (dict of 1)`},
		{"other tensors", dict("net", dict("a.weight", "ctorch._utils\n_rebuild_qtensor\n)R")), `"torch._utils._rebuild_qtensor" (1 values)`},
		{"an optimizer", dict("optimizer", dict("state", sd)), "no state dict found"},
		{"counters", dict("net", dict("a.total_ops", scalar)), "nothing but averaged weights and counters"},
		{"a tensor", tensor16(""), "it holds a single tensor"},
	} {
		f, err := Open(handmade(t, "\x80\x02"+c.pickle+"."))
		if err == nil {
			f.Close()
			t.Errorf("%s: opened %q", c.name, f.Key)
		} else if !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestChoice chooses among several.
func TestChoice(t *testing.T) {
	path := handmade(t, "\x80\x02"+dict("student", state("a.weight"), "teacher", state("b.weight"), "ema", dict("module", state("c.weight")))+".")
	for key, want := range map[string]string{"student": "a.weight", "teacher": "b.weight", "ema.module": "c.weight"} {
		c, err := OpenChoice(path, Choice{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if c.Names[0] != want || c.Key != key {
			t.Errorf("%s: %q under %q", key, c.Names, c.Key)
		}
		c.Close()
	}
	const want = `no state dict under "net"; there are "student" (1 tensors), "teacher" (1 tensors), "ema.module" (1 tensors)`
	if _, err := OpenChoice(path, Choice{Key: "net"}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v", err)
	}
	c, err := OpenChoice(path, Choice{Averaged: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Key != "ema.module" || !c.Averaged {
		t.Errorf("averages %q", c.Key)
	}
}

// module pickles a module of these parameters, buffers and modules, which are
// pickled dicts.
func module(parameters, buffers, modules string) string {
	return "cnets\nBlock\n)\x81" + dict("training", "\x89", "eps", "G?PbM\xd2\xf1\xa9\xfc", "stride", "K\x02K\x02\x86",
		"_parameters", parameters, "_buffers", buffers, "_non_persistent_buffers_set", "c__builtin__\nset\n]"+str("grid")+"a\x85R", "_modules", modules) + "b"
}

// TestModules reads a network that was pickled whole.
func TestModules(t *testing.T) {
	inner := module(dict("weight", tensor16(""), "bias", "N"), dict("mean", tensor16(""), "grid", tensor16(""), "none", "N"), dict())
	f := openHandmade(t, dict("epoch", "K\x03", "model", module(dict("alpha", tensor16("")), dict(), dict("module", module(dict(), dict(), dict("0", inner, "gone", "N", "1", inner))))))
	if want := []string{"alpha", "0.weight", "0.mean", "1.weight", "1.mean"}; !slices.Equal(f.Names, want) {
		t.Errorf("tensors %q, want %q", f.Names, want)
	}
	m := f.Modules["1"]
	if m == nil || m.Class != "nets.Block" || m.Attribute("eps") != 1e-3 || m.Attribute("training") != false || m.Attribute("nothing") != nil || m.Attribute("_buffers") != nil {
		t.Fatalf("module %+v", m)
	}
	if stride, ok := m.Attribute("stride").([]any); !ok || !slices.Equal(stride, []any{int64(2), int64(2)}) {
		t.Errorf("stride %v", m.Attribute("stride"))
	}
	if f.Modules[""] == nil || len(f.Modules) != 3 {
		t.Errorf("%d modules", len(f.Modules))
	}
}

// TestManyPlaces has one part of the structure stand in many places, which would
// take any amount of time to go through.
func TestManyPlaces(t *testing.T) {
	// Each module holds the one before twice.
	doubled := module(dict("w", tensor16("")), dict(), dict()) + "q\x01"
	for range 40 {
		doubled = doubled + "0" + module(dict(), dict(), dict("a", "h\x01", "b", "h\x01")) + "q\x01"
	}
	deep := module(dict("w", tensor16("")), dict(), dict())
	for range 100 {
		deep = module(dict(), dict(), dict("a", deep))
	}
	var places []string
	for i := range 20_000 {
		places = append(places, fmt.Sprint("k", i), "h\x01")
	}
	large := dict(places...)
	for _, c := range []struct{ name, pickle, want string }{
		{"modules", doubled, "more than"},
		{"deep modules", deep, "nest deeper"},
		{"dicts", dict("a.w", tensor16("")) + "q\x010" + large + "q\x010" + strings.ReplaceAll(large, "k", "l"), "more keys than"},
		{"a dict in itself", "}q\x01" + str("self") + "h\x01s", "no state dict found"},
		{"a module in itself", "cnets\nBlock\n)\x81q\x01" + dict("_parameters", dict(), "_modules", dict("self", "h\x01")) + "b", "nest deeper"},
	} {
		f, err := Open(handmade(t, "\x80\x02"+c.pickle+"."))
		if err == nil {
			f.Close()
			t.Errorf("%s: opened", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}

// TestPrefix takes off what stands before all names.
func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		names  []string
		prefix string
	}{
		{[]string{"model.net.a.weight", "model.net.b"}, "model.net."},
		{[]string{"model.a.weight", "models.b"}, ""},
		{[]string{"_forward_module.model.a", "_forward_module.b"}, "_forward_module."},
		{[]string{"a", "b"}, ""},
		{[]string{"module.a.x", "module.a.y"}, "a."},
	} {
		f := openHandmade(t, state(c.names...))
		if got := f.CommonPrefix(); got != c.prefix {
			t.Errorf("%q: prefix %q, want %q", c.names, got, c.prefix)
		}
		before := f.Names[0]
		f.StripPrefix(c.prefix)
		if got := f.Names[0]; c.prefix+got != before || f.Tensors[got].Name != before {
			t.Errorf("%q became %q, in messages %q", before, got, f.Tensors[got].Name)
		}
	}
}

// TestCounters leaves out what tools add to networks, and only that.
func TestCounters(t *testing.T) {
	f := openHandmade(t, dict("n_averaged", scalar, "module.total_ops", scalar, "module.a.total_params", scalar, "module.a.weight", tensor16(""),
		"module.b.n_averaged", scalar, "module.b.total_ops", tensor16(""), "steps", scalar, "module.steps.weight", tensor16("")))
	if want := []string{"a.weight", "b.n_averaged", "b.total_ops", "steps.weight"}; !slices.Equal(f.Names, want) {
		t.Errorf("tensors %q, want %q", f.Names, want)
	}
	if want := []string{"n_averaged", "total_ops", "a.total_params", "steps"}; !slices.Equal(f.Counters, want) {
		t.Errorf("counters %q, want %q", f.Counters, want)
	}
	if notes := f.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "4 counters that are no part of the network and are left out: n_averaged, total_ops, a.total_params and 1 more") {
		t.Errorf("notes %q", notes)
	}
}

// TestSuspicious tells names with which Python would do harm, however they are
// reached, from those of values.
func TestSuspicious(t *testing.T) {
	harmful := []string{"os.system", "posix.system", "subprocess.Popen", "builtins.eval", "__builtin__.exec", "builtins.__import__", "torch._utils.importlib",
		"torch.serialization.os.system", "numpy.testing._private.utils.runstring", "runpy._run_code", "torch.hub.load", "torch.load", "pickle.loads", "webbrowser.open",
		"collections.OrderedDict.__class__.__subclasses__", "urllib.request.urlopen", "operator.methodcaller", "types.CodeType"}
	harmless := []string{"os.stat_result", "collections.OrderedDict", "__builtin__.getattr", "__builtin__.set", "torch.relu", "torch._C._VariableFunctionsClass",
		"functools.partial", "pathlib.PosixPath", "mmengine.logging.history_buffer.HistoryBuffer", "numpy.core.multiarray.scalar", "operator.itemgetter",
		"models.os.Block", "argparse.Namespace", "numpy.dtype", "builtins.slice", "datetime.datetime"}
	var pickled strings.Builder
	pickled.WriteString("(")
	for _, name := range append(slices.Clone(harmful), harmless...) {
		dot := strings.LastIndexByte(name, '.')
		switch name {
		case "torch.serialization.os.system":
			dot = len("torch.serialization")
		case "collections.OrderedDict.__class__.__subclasses__":
			dot = len("collections")
		}
		pickled.WriteString("c" + name[:dot] + "\n" + name[dot+1:] + "\n")
	}
	pickled.WriteString("t")
	f := openHandmade(t, dict("names", pickled.String(), "net", state("a.weight")))
	if got := f.Suspicious(); !slices.Equal(got, harmful) {
		t.Errorf("suspicious %q, want %q", got, harmful)
	}
	if notes := f.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "holds references to os.system, posix.system, subprocess.Popen and 15 more; nothing was run, but torch.load without weights_only=True would run them") {
		t.Errorf("notes %q", notes)
	}
}
