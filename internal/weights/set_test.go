package weights

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// plan returns a small RepVGG.
func plan() *model.Plan {
	p := testkit.Plan(model.Train, 3, testkit.Block(3, 4, 2, 1, 1, 2), testkit.Block(4, 4, 1, 1, 1, 0))
	p.Family = repvgg.Family()
	return p
}

// file writes a checkpoint of a plan with a framework's names. change, unless nil,
// changes the values first.
func file(t *testing.T, p *model.Plan, keys *model.KeyMap, change func(v tensor.Map)) string {
	t.Helper()
	values, path := testkit.Weights(p, 1), filepath.Join(t.TempDir(), "c.pth")
	if change != nil {
		change(values)
	}
	testkit.WriteCheckpoint(t, path, keys.Specs(p.Tensors()), p.Tensors(), values)
	return path
}

// TestOpen checks that the form and the framework of a file are detected by its
// names.
func TestOpen(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for _, keys := range repvgg.KeyMaps() {
			p := plan().As(form)
			s, err := Open(file(t, p, keys, nil), plan(), checkpoint.Choice{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.Plan.Form != form || s.KeyMap != keys {
				t.Errorf("%v form with names of %s: said to be the %v form with those of %s", form, keys.ID, s.Plan.Form, s.KeyMap.ID)
			}
			values := testkit.Weights(p, 1)
			for _, spec := range p.Tensors() {
				if got, err := tensor.Load(s, spec); err != nil || !slices.Equal(got, values[spec.Name]) {
					t.Errorf("%s: %v", spec.Name, err)
				}
			}
			for _, spec := range p.As(model.Deploy).Tensors() {
				got, err := tensor.Load(s.Deploy(), spec)
				want, wantErr := tensor.Load(model.Fold(p, values), spec)
				if err != nil || wantErr != nil || !slices.Equal(got, want) {
					t.Errorf("folded %s: %v, %v", spec.Name, err, wantErr)
				}
			}
			if err := s.Verify(); err != nil {
				t.Error(err)
			}
			if _, err := tensor.Load(s, tensor.Spec{Name: "none", Shape: []int{1}}); err == nil || !strings.Contains(err.Error(), `no tensor "none"`) {
				t.Errorf("a tensor that the plan lacks: %v", err)
			}
			shapes, err := Shapes(s.File, keys)
			if err != nil || !slices.Equal(shapes["backbone.stage_1.0.se_layer.conv1.conv.weight"], []int{2, 4, 1, 1}) {
				t.Errorf("shapes %v, %v", shapes, err)
			}
		}
	}
}

func TestOpenForm(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		p := plan().As(form)
		path := file(t, p, repvgg.Timm, nil)
		s, err := OpenForm(path, p, checkpoint.Choice{})
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		_, err = OpenForm(path, p.As(model.Deploy-form), checkpoint.Choice{})
		if wrong, ok := errors.AsType[*FormError](err); !ok || wrong.Has != form || wrong.Path != path || !strings.Contains(err.Error(), "holds the "+form.String()+" form") {
			t.Errorf("%v form: %v", form, err)
		}
	}
	if _, err := OpenForm(filepath.Join(t.TempDir(), "none.pth"), plan(), checkpoint.Choice{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Open(file(t, plan(), repvgg.Timm, nil), plan(), checkpoint.Choice{Averaged: true}); err == nil {
		t.Error("EMA weights were found in a file that has none")
	}
}

// TestValues checks that values that are not finite, and negative variances, are
// errors that name the file's tensor and the index.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		tensor string
		at     int
		value  float32
		want   string
	}{
		{"backbone.stage_1.1.branch_3x3.conv.weight", 4*9 + 10, float32(math.NaN()), "conv_kxk.conv.weight has the value NaN at (1, 1, 0, 1)"},
		{"head.fc.bias", 2, float32(math.Inf(-1)), "head.fc.bias has the value -Inf at (2,)"},
		{"backbone.stage_1.0.branch_1x1.norm.running_var", 3, float32(math.Inf(1)), "conv_1x1.bn.running_var has the value +Inf at (3,)"},
		{"backbone.stage_1.0.branch_1x1.norm.running_var", 0, -1e-9, "conv_1x1.bn.running_var has the value -1e-09 at (0,)"},
	} {
		path := file(t, plan(), repvgg.Timm, func(v tensor.Map) { v[c.tensor][c.at] = c.value })
		s, err := Open(path, plan(), checkpoint.Choice{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var failed []string
		for _, spec := range s.Plan.Tensors() {
			if _, err := tensor.Load(s, spec); err != nil {
				failed = append(failed, spec.Name)
				if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		}
		if !slices.Equal(failed, []string{c.tensor}) {
			t.Errorf("%s: %q can't be read", c.tensor, failed)
		}
	}
	path := file(t, plan(), repvgg.MMClassification, func(v tensor.Map) {
		v["backbone.stage_1.0.branch_3x3.norm.weight"][1], v["backbone.stage_1.0.branch_3x3.norm.running_var"][1] = math.MaxFloat32, 0
	})
	s, err := Open(path, plan(), checkpoint.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := tensor.Load(s.Deploy(), plan().Blocks[0].WeightSpec()); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "channel 1 is not finite") {
		t.Errorf("what folds to infinity: %v", err)
	}
}

// TestMatchRefuses checks files that do not fit the plan.
func TestMatchRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *checkpoint.File)
		want   string
	}{
		"missing": {func(f *checkpoint.File) { drop(f, "head.fc.bias") }, "missing: head.fc.bias; use the config"},
		"unexpected": {func(f *checkpoint.File) {
			add(f, "more.weight", 1)
			add(f, "a\nb", 1)
		}, `unexpected: more.weight, "a\nb"`},
		"misshapen": {func(f *checkpoint.File) { f.Tensors["head.fc.bias"].Shape = []int{4} }, "head.fc.bias has shape (4,) where the config needs (3,)"},
		"unreadable": {func(f *checkpoint.File) {
			drop(f, "head.fc.bias")
			f.Unreadable = map[string]bool{"head.fc.bias": true}
		}, "of a type that is not read"},
		"mixed": {func(f *checkpoint.File) { add(f, "stem.conv_kxk.conv.weight", 1) }, "the names of MMClassification and with those of timm"},
		"both forms": {func(f *checkpoint.File) {
			add(f, "backbone.stage_1.0.branch_reparam.bias", 4)
		}, "unexpected: backbone.stage_1.0.branch_reparam.bias"},
		"many": {func(f *checkpoint.File) { f.Names, f.Tensors = nil, map[string]*checkpoint.Tensor{} }, "and 27 more"},
		"plus": {func(f *checkpoint.File) {
			f.Names, f.Tensors = nil, map[string]*checkpoint.Tensor{}
			add(f, "stage1.blocks.0.rbr_dense.conv.weight", 1)
		}, "holds a RepVGGplus"},
	} {
		f, err := checkpoint.Open(file(t, plan(), repvgg.MMClassification, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.change(f)
		if _, err := Match(f, plan()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestOneTensorTwice checks that two names for the same tensor are an error.
func TestOneTensorTwice(t *testing.T) {
	keys := &model.KeyMap{Rules: []model.Rule{{Plan: "fc", File: "a"}, {Plan: "fc", File: "b"}}}
	f := &checkpoint.File{Path: "x.pth", Tensors: make(map[string]*checkpoint.Tensor)}
	add(f, "a.weight", 1)
	add(f, "b.weight", 1)
	if _, err := Shapes(f, keys); err == nil || !strings.Contains(err.Error(), `"a.weight" and "b.weight" both mean "fc.weight"`) {
		t.Errorf("got %v", err)
	}
}

func drop(f *checkpoint.File, name string) {
	delete(f.Tensors, name)
	f.Names = slices.DeleteFunc(f.Names, func(n string) bool { return n == name })
}

func add(f *checkpoint.File, name string, n int) {
	f.Names = append(f.Names, name)
	f.Tensors[name] = &checkpoint.Tensor{Name: name, View: tensor.View{Shape: []int{n}, Strides: []int{1}}}
}
