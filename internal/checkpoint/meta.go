package checkpoint

import (
	"io"

	"repvgg/internal/python/pickle"
)

// readMeta takes what a training framework recorded of the network: mmcv under
// meta.CLASSES, mmengine under meta.dataset_meta.
func (c *File) readMeta(root *pickle.Dict, l *loader) {
	meta, _ := root.Get("meta").(*pickle.Dict)
	dataset, _ := meta.Get("dataset_meta").(*pickle.Dict)
	for _, v := range []any{meta.Get("CLASSES"), dataset.Get("classes"), dataset.Get("CLASSES")} {
		if c.Classes = l.texts(v); c.Classes != nil {
			return
		}
	}
}

// maxName is how many bytes of a class's name are read.
const maxName = 1 << 20

// texts are the items of a list or tuple of text; nil if v is something else.
func (l *loader) texts(v any) []string {
	var items []any
	switch v := v.(type) {
	case *pickle.List:
		items = v.Items
	case *pickle.Tuple:
		items = v.Items
	}
	var texts []string
	for _, item := range items {
		switch item := item.(type) {
		case string:
			texts = append(texts, item)
		case *pickle.Blob:
			text, err := io.ReadAll(io.LimitReader(item.Open(l.r), maxName))
			if err != nil {
				return nil
			}
			texts = append(texts, string(text))
		default:
			return nil
		}
	}
	return texts
}
