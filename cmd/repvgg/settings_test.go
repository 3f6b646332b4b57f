package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// Any repvgg.yaml is read, or refused in one line that names it.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{
		"threads: 4\nmetrics: [accuracy, f1_score]\nbench:\n  batch-size: [1, 32]\n", "cfg-options: model.head.num_classes=10 data.test.ann_file='a b'", "threads: -1", "threads: 1e3", "a: &a [*a]",
		"bench: 3", "test: {test: {}}", "? [1]\n: 2", "\xff\xfe", "%YAML 9.9\n---\n", "format: &x [" + strings.Repeat("*x,", 9) + "]", "threads: 0x10\n# " + strings.Repeat("c", 100), "precision: fp32 bf16", "use-ema: maybe", "ignore: ['neck.*', '[']",
		"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c]\nmetrics: [*d,*d]", "THREADS: 2", "duration: 3s", "gpu-ids: 0,1",
	} {
		f.Add(s)
	}
	f.Chdir(f.TempDir())
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(settingsFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"zoo"}, {"flops", "repvgg-A0"}, {"bench", "repvgg-A0", "--runs", "0"}, {"test", "none.py", "none.pth"}} {
			var stderr strings.Builder
			start := time.Now()
			status := run(context.Background(), args, io.Discard, &stderr)
			if took := time.Since(start); took > 20*time.Second {
				t.Fatalf("%v took %v", args, took)
			}
			for line := range strings.Lines(stderr.String()) {
				if !strings.HasPrefix(line, "repvgg: ") || len(line) > 4200 || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\r\n") {
					t.Errorf("%v: %.300q", args, line)
				}
			}
			if status < 0 || status > 2 || (status > 0) != (stderr.Len() > 0) && status > 0 {
				t.Errorf("%v: status %d, %.300q", args, status, stderr.String())
			}
		}
	})
}
