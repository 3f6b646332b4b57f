package recipe

import (
	"repvgg/internal/config"
	"repvgg/internal/config/value"
	"repvgg/internal/dataset"
)

// The keys of data.test, except pipeline, which mmclsPipeline reads.
type (
	// anySet has the keys that every type of data set has.
	anySet struct {
		Prefix  string      `config:"data_prefix,required"`
		AnnFile value.Value `config:"ann_file"`
		Classes value.Value `config:"classes"`
		// TestMode chooses the test split of a data set that has splits. The original's
		// tools/test.py sets it if the config does not.
		TestMode bool        `config:"test_mode"`
		Pipeline value.Value `config:"pipeline"`
	}
	// fileSet has the keys of data sets whose images are files.
	fileSet struct {
		anySet
		Client     value.Value `config:"file_client_args"`
		Extensions []string    `config:"extensions"`
	}
	// largeSet has the keys of ImageNet21k.
	largeSet struct {
		anySet
		Client     value.Value `config:"file_client_args"`
		MultiLabel bool        `config:"multi_label"`
		Recursive  bool        `config:"recursion_subdir"`
		// Serialize saves memory in the original. It has no effect here.
		Serialize bool `config:"serialize_data"`
	}
)

var sourceKeys = map[string]string{"Type": "type", "Prefix": "data_prefix", "AnnFile": "ann_file", "ClassFile": "classes"}

// mmclsData reads the batch size from data, and data.test without the pipeline.
func mmclsData(cfg *config.Config) (*Data, error) {
	root, err := at(cfg, "data")
	if err != nil {
		return nil, err
	}
	d := &Data{keys: sourceKeys}
	if d.BatchSize, err = mmclsBatchSize(root); err != nil {
		return nil, err
	}
	if d.section, err = root.Section("test"); err != nil {
		return nil, err
	}
	d.Source, err = mmclsSource(d.section)
	return d, err
}

// mmclsBatchSize returns samples_per_gpu of data.test_dataloader or else of data.
func mmclsBatchSize(data config.Section) (int, error) {
	loader := struct {
		BatchSize int `config:"samples_per_gpu"`
	}{32}
	if err := data.Decode(&loader); err != nil {
		return 0, err
	}
	if data.Has("test_dataloader") {
		section, err := data.Section("test_dataloader")
		if err != nil {
			return 0, err
		}
		if err := section.Decode(&loader); err != nil {
			return 0, err
		}
	}
	if loader.BatchSize < 1 || loader.BatchSize > MaxBatch {
		return 0, data.Errorf("samples_per_gpu", "want a batch size from 1 to %d, got %d", MaxBatch, loader.BatchSize)
	}
	return loader.BatchSize, nil
}

// mmclsSource reads data.test.
func mmclsSource(test config.Section) (dataset.Source, error) {
	var set typed
	if err := test.Decode(&set); err != nil {
		return dataset.Source{}, err
	}
	source := dataset.Source{Type: set.Type}
	var all anySet
	switch set.Type {
	case "CustomDataset", "ImageNet":
		keys := fileSet{anySet: anySet{TestMode: true}}
		if err := test.DecodeStrict(&keys); err != nil {
			return source, err
		}
		if err := checkClient(test, keys.Client); err != nil {
			return source, err
		}
		all, source.Extensions = keys.anySet, keys.Extensions
	case "ImageNet21k":
		keys := largeSet{anySet: anySet{TestMode: true}, Recursive: true}
		if err := test.DecodeStrict(&keys); err != nil {
			return source, err
		}
		if err := keys.check(test); err != nil {
			return source, err
		}
		all = keys.anySet
	case "CIFAR10", "CIFAR100", "MNIST", "FashionMNIST":
		all.TestMode = true
		if err := test.DecodeStrict(&all); err != nil {
			return source, err
		}
	default:
		return source, test.Errorf("type", "data set %q is not one of %v", set.Type, dataset.Types)
	}
	source.Prefix, source.Train = all.Prefix, !all.TestMode
	return source, all.readNames(test, &source)
}

// check refuses options that we do not support.
func (l *largeSet) check(test config.Section) error {
	if l.MultiLabel {
		return test.Errorf("multi_label", "the `multi_label` option is not supported by now: remove it")
	}
	if !l.Recursive {
		return test.Errorf("recursion_subdir", "the `recursion_subdir` option is deprecated: remove it; images are found at any depth")
	}
	return checkClient(test, l.Client)
}

// readNames reads ann_file, which is None or a file, and classes, which are None, a
// list of names or numbers, or a file with one a line.
func (a *anySet) readNames(test config.Section, source *dataset.Source) error {
	var ok bool
	if a.AnnFile != nil {
		if source.AnnFile, ok = a.AnnFile.(string); !ok || source.AnnFile == "" {
			return test.Errorf("ann_file", "ann_file must be a str or None, got %s", value.Brief(a.AnnFile))
		}
	}
	if a.Classes == nil {
		return nil
	}
	if source.ClassFile, ok = a.Classes.(string); ok && source.ClassFile != "" {
		return nil
	}
	items, ok := value.Items(a.Classes)
	if !ok {
		return test.Errorf("classes", "want a list of names, a file with one name per line, or None, got %s", value.Brief(a.Classes))
	}
	source.Classes = make([]string, len(items))
	for i, item := range items {
		switch item := item.(type) {
		case string:
			source.Classes[i] = item
		case int64, float64, bool: // classes may be named by numbers
			source.Classes[i] = value.Format(item)
		default:
			return test.Errorf("classes", "item %d is %s, want a string or a number", i, value.Brief(item))
		}
	}
	return nil
}
