package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/app"
	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/gpu"
	"repvgg/internal/model"
	"repvgg/internal/weights"
)

// host shows a job's notes as lines on stderr, and its progress as a bar.
func host(cmd *cobra.Command) app.Host {
	return app.Host{
		Note: func(n app.Note) { note(cmd, "%s%s", n.Text, noteHint(n)) },
		Progress: func(unit string, total int) (func(int), func()) {
			bar := newProgress(cmd, total, unit)
			return bar.add, bar.end
		},
		Inputs: []app.Input{{What: "file of settings", Path: settingsFile}},
	}
}

// note prints a note on stderr: something the user should know that is not an
// error.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintln(cmd.ErrOrStderr(), "repvgg: note: "+oneLine(fmt.Sprintf(format, args...)))
}

// noteHint names the flag that acts on a note's topic, if there is one.
func noteHint(n app.Note) string {
	switch n.Topic {
	case app.EMAWeights:
		return " (--use-ema uses those under " + strings.Join(checkpoint.AverageKeys, ", ") + ")"
	case app.OtherNames:
		return " (--names " + n.Value + " keeps them)"
	case app.Override:
		return " (--cfg-options)"
	}
	return ""
}

// hint adds to an error which flags help.
func hint(err error) error {
	if form, ok := errors.AsType[*weights.FormError](err); ok {
		if form.Has == model.Deploy {
			return fmt.Errorf("checkpoint %q holds the deploy form, which needs no conversion; use it with the deploy config, or with --cfg-options model.backbone.deploy=True", form.Path)
		}
		return fmt.Errorf("checkpoint %q holds the train form, but the config is a deploy config; use the train config, or convert the checkpoint with repvgg reparameterize", form.Path)
	}
	if mismatch, ok := errors.AsType[*convert.Mismatch](err); ok && mismatch.Amplified {
		return fmt.Errorf("%w; convert without --verify to keep the file", err)
	}
	if misfit, ok := errors.AsType[*weights.MisfitError](err); ok && len(misfit.Missing)+len(misfit.Unreadable)+len(misfit.Misshapen) == 0 {
		return fmt.Errorf("%w by --ignore, as in --ignore '%s'", err, misfit.Unexpected[0])
	}
	if _, ok := errors.AsType[*app.PlaceError](err); ok {
		return fmt.Errorf("%w; --cfg-options can set another path", err)
	}
	if _, ok := errors.AsType[*gpu.UnavailableError](err); ok {
		return fmt.Errorf("%w, or use --device cpu", err)
	}
	if _, ok := errors.AsType[*checkpoint.AmbiguousError](err); ok {
		return fmt.Errorf("%w; --key chooses one", err)
	}
	return err
}
