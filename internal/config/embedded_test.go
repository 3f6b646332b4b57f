package config

import (
	"path"
	"strings"
	"testing"

	"repvgg/internal/config/value"
)

// zoo lists the values in MMClassification 0.25's RepVGG configs, by arch.
var zoo = []struct {
	arch     string
	channels int  // of stage 4
	mixup    bool // trained 200 epochs with label smoothing and mixup
}{
	{"A0", 1280, false}, {"A1", 1280, false}, {"A2", 1408, false},
	{"B0", 1280, false}, {"B1", 2048, false}, {"B1g2", 2048, false}, {"B1g4", 2048, false}, {"B2", 2560, false},
	{"B2g4", 2560, true}, {"B3", 2560, true}, {"B3g4", 2560, true}, {"D2se", 2560, true},
}

func zooFile(arch string, deploy, mixup bool) string {
	file := "configs/repvgg/repvgg-" + arch
	if deploy {
		file = "configs/repvgg/deploy/repvgg-" + arch + "_deploy"
	}
	if mixup {
		return file + "_4xb64-autoaug-lbs-mixup-coslr-200e_in1k.py"
	}
	return file + "_4xb64-coslr-120e_in1k.py"
}

func TestEmbeddedConfigs(t *testing.T) {
	listed := make(map[string]string)
	for _, entry := range Embedded() {
		short, file, _ := strings.Cut(entry, "\t")
		listed[short] = file
	}
	for _, z := range zoo {
		for _, deploy := range []bool{false, true} {
			short, file := "repvgg-"+z.arch, zooFile(z.arch, deploy, z.mixup)
			if deploy {
				short += "_deploy"
			}
			if listed[short] != file {
				t.Errorf("Embedded() has %q for %s, want %q", listed[short], short, file)
			}
			t.Run(short, func(t *testing.T) {
				c, err := Load(short, nil)
				if err != nil {
					t.Fatal(err)
				}
				if c.Path() != file || len(c.Warnings()) > 0 {
					t.Errorf("path %q, warnings %q", c.Path(), c.Warnings())
				}
				for dotted, want := range wantedValues(z.arch, z.channels, deploy, z.mixup) {
					v, err := new(loader).lookupBase(dotted, c.root)
					if err != nil {
						t.Errorf("%s: %v", dotted, err)
					} else if got := value.Format(v); got != want {
						t.Errorf("%s\n got %s\nwant %s", dotted, got, want)
					}
				}
			})
		}
	}
	if got, want := len(listed), 2*len(zoo); got != want {
		t.Errorf("%d embedded configs, want %d", got, want)
	}
}

func wantedValues(arch string, channels int, deploy, mixup bool) map[string]string {
	backbone := "{'type': 'RepVGG', 'arch': '" + arch + "', 'out_indices': (3,)"
	if deploy {
		backbone += ", 'deploy': True"
	}
	const norm = "'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375], 'to_rgb': True}"
	want := map[string]string{
		"model.type":             "'ImageClassifier'",
		"model.backbone":         backbone + "}",
		"model.neck":             "{'type': 'GlobalAveragePooling'}",
		"model.head.type":        "'LinearClsHead'",
		"model.head.num_classes": "1000",
		"model.head.in_channels": value.Format(int64(channels)),
		"model.head.topk":        "(1, 5)",
		"model.head.loss":        "{'type': 'CrossEntropyLoss', 'loss_weight': 1.0}",
		"data.samples_per_gpu":   "64",
		"data.workers_per_gpu":   "2",
		"data.train.pipeline": "[{'type': 'LoadImageFromFile'}, {'type': 'RandomResizedCrop', 'size': 224, 'backend': 'pillow'}, " +
			"{'type': 'RandomFlip', 'flip_prob': 0.5, 'direction': 'horizontal'}, {'type': 'Normalize', " + norm +
			", {'type': 'ImageToTensor', 'keys': ['img']}, {'type': 'ToTensor', 'keys': ['gt_label']}, {'type': 'Collect', 'keys': ['img', 'gt_label']}]",
		"data.train.data_prefix": "'data/imagenet/train'",
		"data.test.type":         "'ImageNet'",
		"data.test.data_prefix":  "'data/imagenet/val'",
		"data.test.ann_file":     "'data/imagenet/meta/val.txt'",
		"data.test.pipeline": "[{'type': 'LoadImageFromFile'}, {'type': 'Resize', 'size': (256, -1), 'backend': 'pillow'}, " +
			"{'type': 'CenterCrop', 'crop_size': 224}, {'type': 'Normalize', " + norm +
			", {'type': 'ImageToTensor', 'keys': ['img']}, {'type': 'Collect', 'keys': ['img']}]",
		"data.val.ann_file": "'data/imagenet/meta/val.txt'",
		"evaluation":        "{'interval': 1, 'metric': 'accuracy'}",
		"optimizer":         "{'type': 'SGD', 'lr': 0.1, 'momentum': 0.9, 'weight_decay': 0.0001}",
		"optimizer_config":  "{'grad_clip': None}",
		"lr_config":         "{'policy': 'CosineAnnealing', 'min_lr': 0}",
		"runner":            "{'type': 'EpochBasedRunner', 'max_epochs': 120}",
		"checkpoint_config": "{'interval': 1}",
		"log_config":        "{'interval': 100, 'hooks': [{'type': 'TextLoggerHook'}]}",
		"dist_params":       "{'backend': 'nccl'}",
		"workflow":          "[('train', 1)]",
		"load_from":         "None",
		"resume_from":       "None",
		"log_level":         "'INFO'",
	}
	if mixup {
		want["model.head.loss"] = "{'type': 'LabelSmoothLoss', 'mode': 'classy_vision', 'label_smooth_val': 0.1, 'loss_weight': 1.0, 'num_classes': 1000}"
		want["model.train_cfg"] = "{'augments': {'type': 'BatchMixup', 'alpha': 0.2, 'prob': 1.0, 'num_classes': 1000}}"
		want["lr_config"] = "{'policy': 'CosineAnnealing', 'min_lr': 0, 'warmup': 'linear', 'warmup_iters': 25025, 'warmup_ratio': 0.25}"
		want["runner"] = "{'type': 'EpochBasedRunner', 'max_epochs': 200}"
	}
	return want
}

func TestEmbeddedNames(t *testing.T) {
	t.Chdir(t.TempDir())
	const train, deploy = "configs/repvgg/repvgg-A0_4xb64-coslr-120e_in1k.py", "configs/repvgg/deploy/repvgg-A0_deploy_4xb64-coslr-120e_in1k.py"
	tests := []struct{ name, want string }{
		{"repvgg-A0", train}, {"RepVGG-a0", train}, {"repvgg-A0_deploy", deploy}, {"REPVGG-A0_DEPLOY", deploy},
		{train, train}, {"./" + train, train}, {"repvgg/" + path.Base(train), train}, {path.Base(train), train},
		{deploy, deploy}, {"repvgg/deploy/" + path.Base(deploy), deploy}, {"deploy/" + path.Base(deploy), deploy}, {path.Base(deploy), deploy},
		{"b1g2", "configs/repvgg/repvgg-B1g2_4xb64-coslr-120e_in1k.py"},
		{"repvgg-B1g2", "configs/repvgg/repvgg-B1g2_4xb64-coslr-120e_in1k.py"},
		{"_base_/models/repvgg-A0_in1k.py", "configs/_base_/models/repvgg-A0_in1k.py"},
	}
	for _, test := range tests {
		c, err := Load(test.name, nil)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if c.Path() != test.want {
			t.Errorf("%s: got %s, want %s", test.name, c.Path(), test.want)
		}
	}
	for _, name := range []string{"A9", "repvgg", "configs/repvgg", "in1k.py", "repvgg-A0_4xb64-coslr-120e_in1k", "../configs/repvgg-A0.py", "configs/embed.go"} {
		if c, err := Load(name, nil); err == nil {
			t.Errorf("%s: loaded %s", name, c.Path())
		}
	}
}

// The base of an embedded config is always an embedded one, even if there is a file
// of that name on disk.
func TestEmbeddedBaseIsEmbedded(t *testing.T) {
	t.Chdir(writeFiles(t, files{"configs/_base_/models/repvgg-A0_in1k.py": "stray = 1"}))
	c, err := Load("repvgg-A0", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Root().Has("stray") || !c.Root().Has("model") {
		t.Errorf("got %s", value.Format(c.root))
	}
}

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
