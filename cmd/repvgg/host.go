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

// host shows what a job says on stderr, notes as lines and progress as a bar.
func host(cmd *cobra.Command) app.Host {
	return app.Host{
		Note: func(n app.Note) { note(cmd, "%s%s", n.Text, noteHint(n)) },
		Progress: func(unit string, total int) (func(int), func()) {
			bar := newProgress(cmd, total, unit)
			return bar.add, bar.end
		},
	}
}

// note prints something worth knowing that is no failure.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), "repvgg: note: "+format+"\n", args...)
}

// noteHint names the flag for what a note is about.
func noteHint(n app.Note) string {
	switch n.Topic {
	case app.Averages:
		return " (--use-ema takes those under " + strings.Join(checkpoint.AverageKeys, ", ") + ")"
	case app.OtherNames:
		return " (--names " + n.Value + " keeps them)"
	case app.Override:
		return " (--cfg-options)"
	}
	return ""
}

// hint adds to an error how flags help.
func hint(err error) error {
	if form, ok := errors.AsType[*weights.FormError](err); ok {
		if form.Has == model.Deploy {
			return fmt.Errorf("checkpoint %q holds the deploy form, which needs no conversion; test it with the deploy config, or with --cfg-options model.backbone.deploy=True", form.Path)
		}
		return fmt.Errorf("checkpoint %q holds the train form, but the config is a deploy config; use the train config, or convert the checkpoint with repvgg reparameterize", form.Path)
	}
	if mismatch, ok := errors.AsType[*convert.Mismatch](err); ok && mismatch.Amplified {
		return fmt.Errorf("%w: convert without --verify to keep the file", err)
	}
	if _, ok := errors.AsType[*app.PlaceError](err); ok {
		return fmt.Errorf("%w; --cfg-options sets another", err)
	}
	if _, ok := errors.AsType[*gpu.UnavailableError](err); ok {
		return fmt.Errorf("%w, or use --device cpu", err)
	}
	return err
}
