package recipe

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/dataset"
)

const digits = "../../testdata/digits/configs/repvgg-digits.py"

// write writes a config file, a.py, to a new folder.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.py")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustRead(t *testing.T, name string, overrides ...string) *Recipe {
	t.Helper()
	r, err := Load(name, overrides)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ofTest returns a recipe whose config has a data.test with these arguments.
func ofTest(t *testing.T, arguments string) *Recipe {
	t.Helper()
	return mustRead(t, write(t, "_base_ = 'A0'\ndata = dict(test=dict(_delete_=True, "+arguments+"))\n"))
}

func TestDigits(t *testing.T) {
	r := mustRead(t, digits)
	if r.Path != digits || r.Arch != "" || r.Network.Head.Classes != 10 {
		t.Errorf("path %q, arch %q, head %+v", r.Path, r.Arch, r.Network.Head)
	}
	data, err := r.Data()
	if err != nil {
		t.Fatal(err)
	}
	want := dataset.Source{
		Type: "CustomDataset", Prefix: "data/digits/val", AnnFile: "data/digits/val.txt", Classes: strings.Split("0123456789", ""),
	}
	if diff := cmp.Diff(want, data.Source); diff != "" || data.BatchSize != 64 {
		t.Errorf("batch size %d, source %s", data.BatchSize, diff)
	}
	p, err := r.Pipeline()
	if err != nil {
		t.Fatal(err)
	}
	summary := "Resize(short=36, bilinear, pillow) > CenterCrop(32x32) > Normalize(mean=[123.675 116.28 103.53], std=[58.395 57.12 57.375], rgb)"
	if p.String() != summary || !p.ReadsFiles() {
		t.Errorf("pipeline %s, reads files: %v", p, p.ReadsFiles())
	}
	if r := mustRead(t, "repvgg-B1g4"); r.Arch != "B1g4" {
		t.Errorf("arch %q", r.Arch)
	}
}

// Steps of a pipeline, as MMClassification writes them.
const (
	load     = "dict(type='LoadImageFromFile'), "
	imagenet = "dict(type='Normalize', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]), "
	collect  = "dict(type='ImageToTensor', keys=['img']), dict(type='Collect', keys=['img'])"
)

func TestPipeline(t *testing.T) {
	for steps, want := range map[string]string{
		load: "0..255 bgr",
		"":   "0..255 rgb",
		load + "dict(type='Resize', size=(20, 31), interpolation='bicubic', backend='pillow'), ":                                            "Resize(20x31, bicubic, pillow) > 0..255 bgr",
		load + "dict(type='Resize', size=20), ":                                                                                             "Resize(20x20, bilinear, cv2) > 0..255 bgr",
		load + "dict(type='Resize', size=[33, -1], adaptive_side='long'), ":                                                                 "Resize(long=33, bilinear, cv2) > 0..255 bgr",
		load + "dict(type='CenterCrop', crop_size=(31, 16)), ":                                                                              "CenterCrop(31x16) > 0..255 bgr",
		load + "dict(type='CenterCrop', crop_size=30, efficientnet_style=True), ":                                                           "CenterCrop(30x30 of +32, bilinear, cv2) > 0..255 bgr",
		load + "dict(type='CenterCrop', crop_size=9, efficientnet_style=True, crop_padding=7, interpolation='bicubic', backend='pillow'), ": "CenterCrop(9x9 of +7, bicubic, pillow) > 0..255 bgr",
		load + "dict(type='Normalize', mean=[1, 2, 3], std=[1, 1, 2], to_rgb=False), ":                                                      "Normalize(mean=[1 2 3], std=[1 1 2], bgr)",
		"dict(type='Normalize', mean=(1, ), std=(2, )), ":                                                                                   "Normalize(mean=[1], std=[2], grey)",
		"dict(type='LoadImageFromFile', to_float32=False, color_type='color', file_client_args=dict(backend='disk')), ":                     "0..255 bgr",
	} {
		p, err := ofTest(t, "pipeline=["+steps+collect+"]").Pipeline()
		if err != nil {
			t.Errorf("%s: %v", steps, err)
		} else if p.String() != want || p.ReadsFiles() != strings.Contains(steps, "LoadImageFromFile") {
			t.Errorf("%s: %s, reads files: %v; want %s", steps, p, p.ReadsFiles(), want)
		}
	}
}

// Each error names the place in the config.
func TestPipelineErrors(t *testing.T) {
	for _, c := range []struct{ steps, want string }{
		{"", ": the pipeline has no steps; want [LoadImageFromFile Resize CenterCrop Normalize ImageToTensor Collect]"},
		{load, ".0.type: the pipeline ends without ImageToTensor"},
		{imagenet + load + collect, ".1.type: step LoadImageFromFile after Normalize"},
		{load + "dict(type='Pad', size=3), " + collect, `.1.type: step "Pad" is not one of [LoadImageFromFile Resize CenterCrop Normalize ImageToTensor Collect]`},
		{load + "dict(size=3), " + collect, ".1.type: missing"},
		{load + "3, " + collect, ".1: want a dict, got 3"},
		{load + load + collect, ".1.type: step LoadImageFromFile is repeated"},
		{load + imagenet + "dict(type='Resize', size=3), " + collect, ".2.type: step Resize after Normalize"},
		{load + imagenet + imagenet + collect, ".2.type: step Normalize is repeated"},
		{"dict(type='LoadImageFromFile', to_float32=True), " + collect, ".0.to_float32: "},
		{"dict(type='LoadImageFromFile', color_type='grayscale'), " + collect, `.0.color_type: "grayscale" is not supported`},
		{"dict(type='LoadImageFromFile', file_client_args=dict(backend='petrel')), " + collect, ".0.file_client_args: backend petrel"},
		{load + "dict(type='Resize'), " + collect, ".1.size: missing"},
		{load + "dict(type='Resize', size=0), " + collect, ".1.size: want a positive height and width, got 0 and 0"},
		{load + "dict(type='Resize', size=(3, 0)), " + collect, ".1.size: want a positive height and width, got 3 and 0"},
		{load + "dict(type='Resize', size=(0, -1)), " + collect, ".1.size: want a positive length, got 0"},
		{load + "dict(type='Resize', size=(3, 4, 5)), " + collect, ".1.size: want an int, (height, width) or (side, -1), got (3, 4, 5)"},
		{load + "dict(type='Resize', size=(3, 4.0)), " + collect, ".1.size: want an int"},
		{load + "dict(type='Resize', size='x'), " + collect, ".1.size: want an int"},
		{load + "dict(type='Resize', size=3, backend='turbo'), " + collect, ".1.interpolation: backend \"turbo\" is not one of [cv2 pillow]"},
		{load + "dict(type='Resize', size=3, interpolation='box'), " + collect, ".1.interpolation: interpolation \"box\" is not one of [nearest "},
		{load + "dict(type='Resize', size=(3, -1), adaptive_side='top'), " + collect, ".1.adaptive_side: \"top\" is not one of [short long height width]"},
		{load + "dict(type='Resize', size=(3, -1), adaptive_side=''), " + collect, ".1.adaptive_side: want short"},
		{load + "dict(type='Resize', size=3, sharpen=1), " + collect, ".1.sharpen: unknown key"},
		{load + "dict(type='CenterCrop', crop_size=(3, -1)), " + collect, ".1.crop_size: want a positive height and width, got 3 and -1"},
		{load + "dict(type='CenterCrop', crop_size=None), " + collect, ".1.crop_size: want an int or (height, width), got None"},
		{load + "dict(type='CenterCrop', crop_size=(3, 3), efficientnet_style=True), " + collect, ".1.crop_size: want an int with efficientnet_style=True"},
		{load + "dict(type='CenterCrop', crop_size=3, efficientnet_style=True, crop_padding=-1), " + collect, ".1.crop_padding: want an int of 0 or more"},
		{load + "dict(type='CenterCrop', crop_size=3, pad=1), " + collect, ".1.pad: unknown key"},
		{load + "dict(type='Normalize', mean=[1, 2], std=[1, 1, 1]), " + collect, ".1.mean: want 3 numbers"},
		{load + "dict(type='Normalize', mean=[1, 2, 3], std=[1, 0, 1]), " + collect, ".1.std: 0 is not a number"},
		{load + "dict(type='Normalize', mean=[1, 2, 3], std=[1, 1, 1], gain=1), " + collect, ".1.gain: unknown key"},
		{load + "dict(type='ImageToTensor', keys=['gt_label'])", ".1.keys: [gt_label] lacks \"img\""},
	} {
		r := ofTest(t, "pipeline=["+c.steps+"]")
		_, err := r.Pipeline()
		if want := `config "` + r.Path + `": data.test.pipeline` + c.want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\nerror %v\n want %s", c.steps, err, want)
		}
	}
	_, err := mustRead(t, "A0", "data.test.pipeline.1.size=0").Pipeline()
	if err == nil || !strings.Contains(err.Error(), `in1k.py" with override data.test.pipeline.1.size=0: data.test.pipeline.1.size: want`) {
		t.Errorf("error %v", err)
	}
}

func TestData(t *testing.T) {
	for arguments, want := range map[string]dataset.Source{
		"type='ImageNet', data_prefix='p'":                                      {Type: "ImageNet", Prefix: "p"},
		"type='CustomDataset', data_prefix='p', ann_file=None, test_mode=False": {Type: "CustomDataset", Prefix: "p", Train: true},
		"type='CustomDataset', data_prefix='p', ann_file='a.txt', classes='c.txt', extensions=('.png', ), file_client_args=dict(backend='disk'), pipeline=[dict(type='Pad')]": {
			Type: "CustomDataset", Prefix: "p", AnnFile: "a.txt", ClassFile: "c.txt", Extensions: []string{".png"}},
		"type='ImageNet21k', data_prefix='p', recursion_subdir=True, serialize_data=False, multi_label=False, classes=[]": {
			Type: "ImageNet21k", Prefix: "p", Classes: []string{}},
		"type='MNIST', data_prefix='p', classes=('a', 'b'), test_mode=False, ann_file='x'": {
			Type: "MNIST", Prefix: "p", Classes: []string{"a", "b"}, Train: true, AnnFile: "x"},
		"type='CIFAR100', data_prefix='p'": {Type: "CIFAR100", Prefix: "p"},
	} {
		r := ofTest(t, arguments)
		data, err := r.Data()
		if err != nil {
			t.Errorf("%s: %v", arguments, err)
		} else if diff := cmp.Diff(want, data.Source); diff != "" {
			t.Errorf("%s: %s", arguments, diff)
		}
	}
	for overrides, want := range map[string]int{
		"workers_per_gpu=1":  32,
		"samples_per_gpu=64": 64,
		"samples_per_gpu=64 test_dataloader.samples_per_gpu=128": 128,
	} {
		r := mustRead(t, write(t, "_base_ = 'A0'\ndata = dict(_delete_=True, test=dict(type='MNIST', data_prefix='p'))"),
			strings.Fields("data."+strings.ReplaceAll(overrides, " ", " data."))...)
		if data, err := r.Data(); err != nil || data.BatchSize != want {
			t.Errorf("%s: %+v, %v", overrides, data, err)
		}
	}
}

func TestDataErrors(t *testing.T) {
	for arguments, want := range map[string]string{
		"type='VOC', data_prefix='x'": `type: data set "VOC" is not one of [CustomDataset ImageNet ImageNet21k CIFAR10 CIFAR100 MNIST FashionMNIST]`,
		"data_prefix='x'":             "type: missing",
		"type='ImageNet'":             "data_prefix: missing",
		"type='CustomDataset', data_prefix='x', shuffle=True":                             "shuffle: unknown key",
		"type='CustomDataset', data_prefix='x', ann_file=3":                               "ann_file: ann_file must be a str or None, got 3",
		"type='CustomDataset', data_prefix='x', ann_file=''":                              "ann_file: ann_file must be a str or None, got ''",
		"type='CustomDataset', data_prefix='x', classes=3":                                "classes: want a list of names",
		"type='CustomDataset', data_prefix='x', classes=''":                               "classes: want a list of names",
		"type='CustomDataset', data_prefix='x', classes=['a', None]":                      "classes: item 1 is None, want a string or a number",
		"type='CustomDataset', data_prefix='x', file_client_args=dict(backend='petrel')":  "file_client_args: backend petrel is not supported",
		"type='ImageNet21k', data_prefix='x', multi_label=True":                           "multi_label: ",
		"type='ImageNet21k', data_prefix='x', recursion_subdir=False":                     "recursion_subdir: the `recursion_subdir` option is deprecated: remove it; images are found at any depth",
		"type='ImageNet21k', data_prefix='x', extensions=['.x']":                          "extensions: unknown key",
		"type='ImageNet21k', data_prefix='x', file_client_args=dict(backend='memcached')": "file_client_args: backend memcached",
		"type='MNIST', data_prefix='x', extensions=['.x']":                                "extensions: unknown key",
	} {
		r := ofTest(t, arguments)
		_, err := r.Data()
		if want := `config "` + r.Path + `": data.test.` + want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\nerror %v\n want %s", arguments, err, want)
		}
	}
	for override, want := range map[string]string{
		"data.samples_per_gpu=0":                      "data.samples_per_gpu: want a batch size from 1 to 65536, got 0",
		"data.samples_per_gpu=x":                      "data.samples_per_gpu: want an int, got 'x'",
		"data.test_dataloader.samples_per_gpu=100000": "data.samples_per_gpu: want a batch size",
		"data.test_dataloader=3":                      "data.test_dataloader: want a dict, got 3",
		"data.test=3":                                 "data.test: want a dict, got 3",
	} {
		if _, err := mustRead(t, "A0", override).Data(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", override, err, want)
		}
	}
}

// TestOpenErrors checks that an error about the images names the config's key.
func TestOpenErrors(t *testing.T) {
	for override, want := range map[string]string{
		"data.test.data_prefix=none": ` with override data.test.data_prefix=none: data.test.data_prefix: looking for the first image of ann_file `,
		"data.test.ann_file=none":    ` with override data.test.ann_file=none: data.test.ann_file: reading ann_file "none": no such file`,
		"data.test.classes=none":     ` with override data.test.classes=none: data.test.classes: reading class names: open none: no such file`,
		"data.test.type=MNIST":       `: data.test.data_prefix: reading MNIST: neither `,
	} {
		t.Chdir("../../testdata/digits")
		data, err := mustRead(t, "configs/repvgg-digits.py", override).Data()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := data.Open(t.Context()); err == nil || !strings.HasPrefix(err.Error(), `config "configs/repvgg-digits.py"`+want) {
			t.Errorf("%s: error %v, want %s", override, err, want)
		}
		t.Chdir("../../internal/recipe")
	}
}

// TestNeeds checks that the parts of a config that are not used may be missing or
// wrong.
func TestNeeds(t *testing.T) {
	bare := mustRead(t, write(t, "_base_ = 'A0'\ndata = dict(_delete_=True)\n"))
	if _, err := bare.Details(); err != nil {
		t.Error(err)
	}
	if _, err := bare.Pipeline(); err == nil || !strings.HasSuffix(err.Error(), "data.test: missing (there is nothing)") {
		t.Error(err)
	}
	if _, err := bare.Data(); err == nil || !strings.HasSuffix(err.Error(), "data.test: missing (there is nothing)") {
		t.Error(err)
	}
	if _, err := ofTest(t, "type='VOC', pipeline=["+load+collect+"]").Pipeline(); err != nil {
		t.Error(err)
	}
	if _, err := ofTest(t, "type='MNIST', data_prefix='x', pipeline=3").Data(); err != nil {
		t.Error(err)
	}
}

// TestUnread checks which overrides count as unread, depending on which parts of
// the recipe were used.
func TestUnread(t *testing.T) {
	const model, variable, data, set, step = "model.head.loss.type=X", "img_norm_cfg.mean=3", "data.shuffle=True", "data.test.classes=c.txt", "data.test.pipeline.1.size=3"
	r := mustRead(t, "A0", model, variable, data, set, step)
	want := []string{model, variable}
	if got := r.Unread(); !slices.Equal(got, want) {
		t.Errorf("the network alone: %q, want %q", got, want)
	}
	if _, err := r.Pipeline(); err != nil {
		t.Fatal(err)
	}
	want = []string{model, variable, data}
	if got := r.Unread(); !slices.Equal(got, want) {
		t.Errorf("with the pipeline: %q, want %q", got, want)
	}
	if _, err := r.Data(); err != nil {
		t.Fatal(err)
	}
	if got := r.Unread(); !slices.Equal(got, want) {
		t.Errorf("with the data set: %q, want %q", got, want)
	}
	if _, err := r.Details(); err != nil {
		t.Fatal(err)
	}
	if got := r.Unread(); !slices.Equal(got, want[1:]) {
		t.Errorf("with the details: %q, want %q", got, want[1:])
	}
}

func TestWarnings(t *testing.T) {
	r := mustRead(t, write(t, "_base_ = 'A0'\ncustom_imports = dict(imports=['m'])\n"))
	if got := r.Warnings(); len(got) != 1 || !strings.Contains(got[0], "custom_imports") {
		t.Errorf("warnings %q", got)
	}
}
