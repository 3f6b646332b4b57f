// Command repvgg converts, checks and measures RepVGG models.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"repvgg/internal/app"
	"repvgg/internal/cleanup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A reader of stdout that has gone is an error of writing, after which
	// temporary files are removed.
	signal.Ignore(syscall.SIGPIPE)
	go endBy(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// patience is how long an interrupted command may take to end by itself.
const patience = 600 * time.Millisecond

// endBy ends the process after a signal, if its work does not notice that: a read
// from a disk that does not answer, or a call into a library, can't be called off.
func endBy(ctx context.Context, stop func()) {
	<-ctx.Done()
	stop() // a second signal ends the process at once
	time.Sleep(patience)
	cleanup.Run()
	fmt.Fprintln(os.Stderr, interrupted)
	os.Exit(statusInterrupted)
}

const (
	interrupted       = "repvgg: interrupted"
	statusInterrupted = 130
)

// run returns the exit status: 0, 1 for a failure, 2 for wrong usage, 130 for an
// interruption.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newRootCmd()
	out := &checkedWriter{w: stdout}
	cmd.SetOut(out)
	cmd.SetErr(stderr)
	cmd.SetArgs(spreadLists(cmd, args))
	err := cmd.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("writing to stdout: %w", out.err)
	}
	if err == nil {
		return 0
	}
	if errors.Is(err, syscall.EPIPE) {
		return 141 // stdout was closed: the status that a shell reports for SIGPIPE
	}
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, interrupted)
		return statusInterrupted
	}
	fmt.Fprintln(stderr, "repvgg: "+oneLine(err.Error()))
	_, usage := errors.AsType[usageError](err)
	_, overwrites := errors.AsType[*app.OverwriteError](err)
	if usage || overwrites {
		return 2
	}
	return 1
}

// oneLine turns a message into one line of bounded length without control
// characters, because names in it may come from a hostile file.
func oneLine(text string) string {
	const most = 4000
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ReplaceAll(text, "\n", "; "))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// checkedWriter keeps the first write error, which fmt.Fprint's callers ignore.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// usageError is an error in how the command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
