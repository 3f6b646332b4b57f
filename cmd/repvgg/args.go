package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// spreadLists rewrites `--metrics a b` as `--metrics=a --metrics=b`, which is
// what pflag understands. As with argparse, a list ends at the next flag or at
// "--", so that positional arguments come before it.
func spreadLists(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		return args
	}
	var out []string
	for i := 0; i < len(args); i++ {
		name, isFlag := strings.CutPrefix(args[i], "--")
		var flag *pflag.Flag
		if isFlag {
			flag = cmd.Flags().Lookup(name)
		}
		if args[i] == "--" {
			return append(out, args[i:]...)
		}
		if flag == nil || flag.Annotations[listFlag] == nil || i+1 == len(args) || endsList(args[i+1]) {
			out = append(out, args[i])
			continue
		}
		for ; i+1 < len(args) && !endsList(args[i+1]); i++ {
			out = append(out, "--"+name+"="+args[i+1])
		}
	}
	return out
}

func endsList(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// notANumber matches pflag's error for a value that is not a number.
var notANumber = regexp.MustCompile(`^(.*)strconv\.\w+: parsing ("[^"]*"): invalid syntax$`)

// flagError suggests existing flags in place of a misspelt one.
func flagError(c *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		// cobra only suggests commands, so make one with the name of each flag.
		flags := &cobra.Command{SuggestionsMinimumDistance: 2}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		})
		if near := flags.SuggestionsFor(unknown.GetSpecifiedName()); len(near) > 0 {
			err = fmt.Errorf("%w; did you mean --%s?", err, strings.Join(near, " or --"))
		}
	}
	return usageHint(c, err)
}

// usageHint turns err into a usage error that also says where to find help.
func usageHint(c *cobra.Command, err error) error {
	if m := notANumber.FindStringSubmatch(err.Error()); m != nil {
		err = errors.New(m[1] + m[2] + " is not a number")
	}
	return usageError{fmt.Errorf("%w (usage: %s; %s --help says more)", err, c.UseLine(), c.CommandPath())}
}
