// Package zoo prints the table of the published variants.
package zoo

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"repvgg/internal/model/repvgg"
	"repvgg/internal/table"
)

// source is where the table was published.
const source = "configs/repvgg/README.md of MMClassification 0.25"

// Formats are the formats of Write. The first is the default.
var Formats = []string{"text", "json", "csv", "markdown"}

// Write writes the published table in one of Formats. Each format says that the
// accuracies are the publisher's. CSV does so in its column names.
func Write(w io.Writer, format string, zoo []repvgg.Published) error {
	switch format {
	case "text":
		return writeText(w, zoo)
	case "json":
		return table.WriteJSON(w, struct {
			Source string       `json:"source"`
			Note   string       `json:"note"`
			Models *table.Table `json:"models"`
		}{source, repvgg.AccuracyNote, figures(zoo)})
	case "csv":
		return figures(zoo).WriteCSV(w)
	case "markdown":
		return writeMarkdown(w, zoo)
	}
	return fmt.Errorf("unknown format %q: choose from %s", format, strings.Join(Formats, " "))
}

// figures returns the table for JSON and CSV. The prefix published_ marks figures
// that were neither counted nor measured here. Numbers keep the digits of the page.
func figures(zoo []repvgg.Published) *table.Table {
	t := &table.Table{Columns: []table.Column{
		{Name: "name"}, {Name: "epochs"}, {Name: "published_train_params_millions"}, {Name: "published_deploy_params_millions"},
		{Name: "published_train_flops_giga"}, {Name: "published_deploy_flops_giga"}, {Name: "published_top1_percent"}, {Name: "published_top5_percent"},
		{Name: "train_config"}, {Name: "deploy_config"}, {Name: "weights"}, {Name: "note"},
	}}
	for _, m := range zoo {
		note := table.Cell{}
		if m.Note() != "" {
			note = table.Text(m.Note())
		}
		t.Add(table.Text(m.Name), table.Int(m.Epochs), table.Number(m.Train.Params), table.Number(m.Deploy.Params),
			table.Number(m.Train.FLOPs), table.Number(m.Deploy.FLOPs), percent(m.Top1), percent(m.Top5),
			table.Text(m.TrainConfig), table.Text(m.DeployConfig), table.Text(m.Weights), note)
	}
	return t
}

// percent formats an accuracy as the page does.
func percent(v float64) table.Cell { return table.Fixed(v, 2) }

func writeText(w io.Writer, zoo []repvgg.Published) error {
	t := &table.Table{Columns: []table.Column{
		{Name: "Model"}, {Name: "Epochs"}, {Name: "Params(M)", Unit: "train"}, {Unit: "deploy"}, {Name: "Flops(G)", Unit: "train"}, {Unit: "deploy"},
		{Name: "Top-1 (%)"}, {Name: "Top-5 (%)"}, {Name: "Config", Unit: "train, deploy"},
	}}
	weights := &table.Table{Columns: make([]table.Column, 2)}
	for _, m := range zoo {
		t.Add(table.Text(m.Name), table.Int(m.Epochs), table.Number(m.Train.Params), table.Number(m.Deploy.Params),
			table.Number(m.Train.FLOPs), table.Text(m.Deploy.FLOPs+mark(&m)), percent(m.Top1), percent(m.Top5), table.Text(m.TrainConfig+", "+m.DeployConfig))
		weights.Add(table.Text(m.Name), table.Text(m.Weights))
	}
	const gap = 2
	out := bufio.NewWriter(w)
	if err := t.WriteText(out, 0, gap); err != nil {
		return err
	}
	out.WriteString("\nWeights of the training form, to be downloaded from their publisher:\n")
	if err := weights.WriteText(out, 0, gap); err != nil {
		return err
	}
	out.WriteString("\n" + strings.Join(notes(zoo), "\n") + "\n")
	return out.Flush()
}

// mark is the reference from a figure to its note.
func mark(m *repvgg.Published) string {
	if m.Note() == "" {
		return ""
	}
	return "*"
}

// notes returns the lines below the table. A line about a model starts with the
// mark.
func notes(zoo []repvgg.Published) []string {
	lines := []string{fmt.Sprintf("The table of %s: %s.", source, repvgg.AccuracyNote)}
	for _, m := range zoo {
		if m.Note() != "" {
			lines = append(lines, fmt.Sprintf("* %s: %s.", m.Name, m.Note()))
		}
	}
	return lines
}

// writeMarkdown writes the table in the layout of the original's page.
func writeMarkdown(w io.Writer, zoo []repvgg.Published) error {
	t := &table.Table{}
	for _, name := range []string{"Model", "Epochs", "Params(M)", "Flops(G)", "Top-1 (%)", "Top-5 (%)", "Config", "Download"} {
		t.Columns = append(t.Columns, table.Column{Name: name, Align: table.Center})
	}
	for _, m := range zoo {
		t.Add(table.Text(m.Name), table.Int(m.Epochs), bothForms(m.Train.Params, m.Deploy.Params), bothForms(m.Train.FLOPs, m.Deploy.FLOPs+mark(&m)),
			percent(m.Top1), percent(m.Top5), table.Markup(fmt.Sprintf("`%s` \\| `%s`", m.TrainConfig, m.DeployConfig)), table.Markup("[model]("+m.Weights+")"))
	}
	out := bufio.NewWriter(w)
	if err := t.WriteMarkdown(out); err != nil {
		return err
	}
	for _, line := range notes(zoo) {
		out.WriteString("\n" + table.EscapeMarkdown(line) + "\n")
	}
	return out.Flush()
}

func bothForms(train, deploy string) table.Cell {
	return table.Text(train + " (train) | " + deploy + " (deploy)")
}
