package flops

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"repvgg/internal/model"
	"repvgg/internal/python"
)

// Write writes what the original's get_flops.py prints for images of channels x
// height x width: the tree of modules, with each module's share of the parameters
// and of the operations, then the totals.
func Write(w io.Writer, root *Module, channels, height, width int) error {
	const line = "=============================="
	out := bufio.NewWriter(w)
	p := printer{out: out, total: root.Cost}
	p.write(root, "")
	fmt.Fprintf(out, "\n%s\nInput shape: (%d, %d, %d)\nFlops: %s\nParams: %s\n%s\n", line,
		channels, height, width, formatFLOPs(root.Cost.FLOPs), formatParams(root.Cost.Params), line)
	fmt.Fprintln(out, "!!!Please be cautious if you use the results in papers. "+
		"You may need to check if all ops are supported and verify that the flops computation is correct.")
	return out.Flush()
}

type printer struct {
	out   *bufio.Writer
	total model.Cost
}

// write writes a module as PyTorch's repr does. Lines after the first start with
// indent. A module with children has its figures on a separate line.
func (p *printer) write(m *Module, indent string) {
	p.out.WriteString(m.Type + "(")
	if len(m.Children) > 0 {
		p.out.WriteString("\n" + indent + "  ")
	}
	p.out.WriteString(strings.Join([]string{
		python.Rounded(float64(m.Cost.Params)/1e6, 3) + " M",
		share(m.Cost.Params, p.total.Params) + " Params",
		python.Rounded(float64(m.Cost.FLOPs)/1e9, 3) + " GFLOPs",
		share(m.Cost.FLOPs, p.total.FLOPs) + " FLOPs",
		m.Extra,
	}, ", "))
	for _, child := range m.Children {
		p.out.WriteString("\n" + indent + "  (" + child.Name + "): ")
		p.write(child, indent+"  ")
	}
	if len(m.Children) > 0 {
		p.out.WriteString("\n" + indent)
	}
	p.out.WriteString(")")
	if m.Init != "" {
		p.out.WriteString("\n" + indent + "init_cfg=" + m.Init)
	}
}

// share formats a quotient like Python's '.3%'. The quotient is rounded to a float
// first.
func share(part, whole int64) string {
	return strconv.FormatFloat(float64(part)/float64(whole)*100, 'f', 3, 64) + "%"
}

// formatParams formats a number of parameters as the original prints it: "9.11 M".
func formatParams(n int64) string {
	switch {
	case n >= 1e6:
		return python.Rounded(float64(n)/1e6, 2) + " M"
	case n >= 1e3:
		return python.Rounded(float64(n)/1e3, 2) + " k"
	}
	return strconv.FormatInt(n, 10)
}

// formatFLOPs formats a number of operations as the original prints it: "1.52
// GFLOPs".
func formatFLOPs(n int64) string { return python.Rounded(float64(n)/1e9, 2) + " GFLOPs" }
