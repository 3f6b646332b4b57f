package main

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// shareProgress is a progress bar on stderr with the name of the current step. It
// is shown only on a terminal.
type shareProgress struct{ progress }

const shareSteps = 1000

func newShareProgress(cmd *cobra.Command) shareProgress {
	f, ok := cmd.ErrOrStderr().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return shareProgress{}
	}
	return shareProgress{progress{progressbar.NewOptions(shareSteps,
		progressbar.OptionSetWriter(f),
		progressbar.OptionFullWidth(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}}
}

// show sets the current step and the share of all work that is done. Drawing errors
// are ignored: they don't affect the results.
func (p shareProgress) show(what string, share float64) {
	if p.bar != nil {
		p.bar.Describe(what)
		_ = p.bar.Set(int(share * shareSteps))
	}
}
