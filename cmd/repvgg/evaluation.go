package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/dataset"
	"repvgg/internal/eval"
	"repvgg/internal/jpeg"
	"repvgg/internal/metrics"
	"repvgg/internal/model"
	"repvgg/internal/preprocess"
	"repvgg/internal/recipe"
	"repvgg/internal/report"
	"repvgg/internal/shard"
	"repvgg/internal/weights"
)

// evaluation is a run of repvgg test, filled in as its arguments are found good.
type evaluation struct {
	cmd       *cobra.Command
	settings  *settings
	options   metrics.Options
	items     []string
	group     shard.Group
	exchange  *shard.Gathering // with the other processes, or nil
	plan      *model.Plan
	ckpt      *weights.Set
	other     *weights.Set // to compare with, or nil
	data      *dataset.Dataset
	pipeline  *preprocess.Pipeline
	batchSize int
}

// evaluate is repvgg test. Whatever is wrong with the arguments is found before
// any image is read.
func evaluate(cmd *cobra.Command, s *settings, cfgName, ckptPath string) error {
	e := &evaluation{cmd: cmd, settings: s}
	if err := e.checkFlags(); err != nil {
		return err
	}
	if err := e.checkOutputs(cfgName, ckptPath); err != nil {
		return err
	}
	if err := e.join(); err != nil {
		return err
	}
	defer e.close()
	err := e.prepare(cfgName, ckptPath)
	if err == nil {
		err = e.run()
	}
	if err != nil && e.exchange != nil {
		e.exchange.Fail(err)
	}
	return err
}

// join meets the other processes of a launcher first, so that the failure of
// one ends them all.
func (e *evaluation) join() error {
	if e.group.World == 1 {
		return nil
	}
	dir, err := e.group.Dir(e.settings.TmpDir)
	if err != nil {
		return usageError{err}
	}
	e.group.Note = func(text string) { note(e.cmd, "%s", text) }
	e.exchange, err = e.group.Join(e.cmd.Context(), dir)
	return err
}

// prepare reads the config, the list of images and the checkpoint.
func (e *evaluation) prepare(cfgName, ckptPath string) error {
	r, err := recipe.Load(cfgName, e.settings.CfgOptions)
	if err != nil {
		return err
	}
	e.plan = r.Network
	if err := e.readData(r); err != nil {
		return err
	}
	if have := e.data.Channels(); e.plan.InChannels != have {
		return fmt.Errorf("config %q describes a network for %d channels, but the images have %d", cfgName, e.plan.InChannels, have)
	}
	if err := eval.Check(e.pipeline, e.data.Samples); err != nil {
		return fmt.Errorf("config %q: %w", cfgName, err)
	}
	if err := e.checkLabels(); err != nil {
		return err
	}
	if e.group.Rank == 0 {
		noteConfig(e.cmd, r)
		for _, w := range append(slices.Clip(e.data.Warnings), e.data.LabelWarnings(e.plan.Head.Classes)...) {
			note(e.cmd, "%s", w)
		}
		var files []string
		for _, s := range e.data.Samples {
			if s.Array == nil {
				files = append(files, s.Name)
			}
		}
		noteDecoder(e.cmd, files)
	}
	return e.openCheckpoints(ckptPath)
}

// noteDecoder says so if JPEG files will be decoded without libjpeg-turbo.
func noteDecoder(cmd *cobra.Command, files []string) {
	why, ok := jpeg.Library()
	isJPEG := func(name string) bool {
		ext := strings.ToLower(filepath.Ext(name))
		return ext == ".jpg" || ext == ".jpeg"
	}
	if !ok && slices.ContainsFunc(files, isJPEG) {
		note(cmd, "JPEG files are decoded in Go: the same pixels of intact files, but slower, and files with damaged data are refused (%s)", why)
	}
}

// openCheckpoints opens the checkpoint, and the one to compare with, which may
// be of the other form.
func (e *evaluation) openCheckpoints(path string) error {
	var err error
	if e.ckpt, err = weights.OpenForm(path, e.plan, e.settings.UseEMA); err != nil {
		return formHint(err)
	}
	if e.group.Rank == 0 {
		noteCheckpoint(e.cmd, e.settings, e.ckpt.File)
	}
	if e.settings.Compare == "" {
		return nil
	}
	e.other, err = weights.Open(e.settings.Compare, e.plan, false)
	return err
}

func (e *evaluation) close() {
	for _, c := range []*weights.Set{e.ckpt, e.other} {
		if c != nil {
			c.Close()
		}
	}
}

// checkFlags checks what can be checked without any file but the result's name.
func (e *evaluation) checkFlags() error {
	s := e.settings
	if s.Show && s.ShowDir == "" {
		s.ShowDir = "show"
	}
	if len(s.GPUIDs) > 0 {
		s.GPUID = s.GPUIDs[0]
		note(e.cmd, "`--gpu-ids` is deprecated, please use `--gpu-id`. Because we only support single GPU mode in non-distributed testing. Use the first GPU in `gpu_ids` now.")
	}
	if err := s.checkTest(); err != nil {
		return usageError{err}
	}
	var err error
	if e.options, err = recipe.MetricOptions("--metric-options", s.MetricOptions); err != nil {
		return usageError{err}
	}
	if e.items, err = report.Items(s.OutItems); err != nil {
		return usageError{err}
	}
	if len(s.Precision) != 1 {
		return usageError{errors.New("--precision needs one value: " + strings.Join(precisionsOf(s.Device), ", "))}
	}
	if e.group, err = shard.FromLauncher(s.Launcher, os.Getenv); err != nil {
		return usageError{err}
	}
	if e.group.World > 1 && (s.Compare != "" || s.SkipBadImages) {
		return usageError{errors.New("--compare and --skip-bad-images need all images in one process: leave --launcher out")}
	}
	e.noteUseless("gpu-id", s.Device == deviceCUDA, " without --device cuda")
	e.noteUseless("gpu-ids", s.Device == deviceCUDA, " without --device cuda")
	e.noteUseless("tmpdir", e.group.World > 1, " without --launcher")
	e.noteUseless("gpu-collect", false, ": results are gathered through --tmpdir")
	e.noteUseless("show-options", false, ": painting adapts to the image")
	return nil
}

// noteUseless says so if a flag was given that has no effect here.
func (e *evaluation) noteUseless(flag string, useful bool, why string) {
	if !useful && e.cmd.Flags().Changed(flag) {
		note(e.cmd, "--%s has no effect%s", flag, why)
	}
}

// checkTest checks the settings of repvgg test by themselves.
func (s *settings) checkTest() error {
	if !slices.ContainsFunc([]string{s.Out, s.ShowDir, s.Compare, s.Confusion, s.PerClass}, func(v string) bool { return v != "" }) &&
		len(s.Metrics) == 0 && !s.ProfileInput {
		return errors.New("please specify at least one of output path and evaluation metrics: --out FILE.json, --metrics accuracy")
	}
	if err := checkDevice(s.Device, []string{deviceAuto, deviceCPU, deviceCUDA}, s.Precision); err != nil {
		return err
	}
	if s.GPUID < 0 {
		return fmt.Errorf("--gpu-id %d: want a GPU from 0", s.GPUID)
	}
	if s.CompareOut != "" && s.Compare == "" {
		return errors.New("--compare-out needs --compare OTHER_CKPT")
	}
	return metrics.CheckNames(s.Metrics)
}

// checkLabels finds labels that are no class, which only accuracy can count.
func (e *evaluation) checkLabels() error {
	s := e.settings
	classwise := slices.ContainsFunc(s.Metrics, func(name string) bool { return name != metrics.Accuracy })
	if !classwise && s.Confusion == "" && s.PerClass == "" {
		return nil
	}
	for _, sample := range e.data.Samples {
		if classes := e.plan.Head.Classes; sample.Label < 0 || sample.Label >= classes {
			return fmt.Errorf("image %q has the label %d, but the network has the classes 0 to %d; class values must be smaller than num_classes",
				sample.Name, sample.Label, classes-1)
		}
	}
	return nil
}

// readData reads what the config says of the images.
func (e *evaluation) readData(r *recipe.Recipe) error {
	data, err := r.Data()
	if err != nil {
		return err
	}
	e.batchSize = data.BatchSize
	if e.pipeline, err = r.Pipeline(); err != nil {
		return err
	}
	e.data, err = dataset.Open(data.Source)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (--cfg-options %s=FOLDER %s=FILE sets other places)", err, data.PrefixKey, data.AnnFileKey)
	}
	return err
}
