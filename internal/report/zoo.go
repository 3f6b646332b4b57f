package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"repvgg/internal/model/repvgg"
	"strconv"
	"strings"
	"text/tabwriter"
)

// zooSource is where the published table stands.
const zooSource = "configs/repvgg/README.md of MMClassification 0.25"

// ZooFormats are the formats of WriteZoo; the first is the default.
var ZooFormats = []string{"text", "json", "csv", "markdown"}

// WriteZoo writes the published table in one of ZooFormats. Each says that the
// accuracies are the publisher's: CSV in the names of its columns.
func WriteZoo(w io.Writer, format string) error {
	out := bufio.NewWriter(w)
	var err error
	switch format {
	case "text":
		err = zooText(out, repvgg.Zoo())
	case "json":
		err = zooJSON(out, repvgg.Zoo())
	case "csv":
		err = zooCSV(out, repvgg.Zoo())
	case "markdown":
		zooMarkdown(out, repvgg.Zoo())
	default:
		err = fmt.Errorf("format %q is unknown: choose from %s", format, strings.Join(ZooFormats, " "))
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// percent is an accuracy as the page prints it.
func percent(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func zooText(out io.Writer, zoo []repvgg.Published) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "Model\tEpochs\tParams(M)\t\tFlops(G)\t\tTop-1 (%)\tTop-5 (%)\tConfig")
	fmt.Fprintln(t, "\t\ttrain\tdeploy\ttrain\tdeploy\t\t\ttrain, deploy")
	for _, m := range zoo {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s, %s\n", m.Name, m.Epochs, m.Train.Params, m.Deploy.Params,
			m.Train.FLOPs, m.Deploy.FLOPs+mark(&m), percent(m.Top1), percent(m.Top5), m.TrainConfig, m.DeployConfig)
	}
	fmt.Fprintln(t)
	fmt.Fprintln(t, "Weights of the training form, to be downloaded from their publisher:")
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range zoo {
		fmt.Fprintf(t, "%s\t%s\n", m.Name, m.Weights)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	zooNotes(out, zoo, "")
	return nil
}

// mark points from a figure to the note on it.
func mark(m *repvgg.Published) string {
	if m.Note() == "" {
		return ""
	}
	return "*"
}

func zooNotes(out io.Writer, zoo []repvgg.Published, prefix string) {
	fmt.Fprintf(out, "%sThe table of %s: %s.\n", prefix, zooSource, repvgg.AccuracyNote)
	for _, m := range zoo {
		if m.Note() != "" {
			fmt.Fprintf(out, "%s* %s: %s.\n", prefix, m.Name, m.Note())
		}
	}
}

func zooMarkdown(out io.Writer, zoo []repvgg.Published) {
	fmt.Fprintln(out, `| Model | Epochs | Params(M) | Flops(G) | Top-1 (%) | Top-5 (%) | Config | Download |
| :---: | :----: | :-------: | :------: | :-------: | :-------: | :----: | :------: |`)
	for _, m := range zoo {
		fmt.Fprintf(out, "| %s | %d | %s (train) \\| %s (deploy) | %s (train) \\| %s%s (deploy) | %s | %s | `%s` \\| `%s` | [model](%s) |\n",
			m.Name, m.Epochs, m.Train.Params, m.Deploy.Params, m.Train.FLOPs, m.Deploy.FLOPs, strings.ReplaceAll(mark(&m), "*", `\*`),
			percent(m.Top1), percent(m.Top5), m.TrainConfig, m.DeployConfig, m.Weights)
	}
	var notes strings.Builder
	zooNotes(&notes, zoo, "")
	fmt.Fprint(out, "\n", strings.ReplaceAll(notes.String(), "\n* ", "\n\n\\* "))
}

// zooColumns are the columns of the CSV; published_ names what is not counted or
// measured here.
var zooColumns = []string{
	"name", "epochs", "published_train_params_millions", "published_deploy_params_millions",
	"published_train_flops_giga", "published_deploy_flops_giga", "published_top1_percent", "published_top5_percent",
	"train_config", "deploy_config", "weights", "note",
}

func zooCSV(out io.Writer, zoo []repvgg.Published) error {
	c := csv.NewWriter(out)
	records := [][]string{zooColumns}
	for _, m := range zoo {
		records = append(records, []string{m.Name, strconv.Itoa(m.Epochs), m.Train.Params, m.Deploy.Params,
			m.Train.FLOPs, m.Deploy.FLOPs, percent(m.Top1), percent(m.Top5), m.TrainConfig, m.DeployConfig, m.Weights, m.Note()})
	}
	return c.WriteAll(records)
}

// zooRow has the columns of the CSV; numbers keep the digits of the page.
type zooRow struct {
	Name         string      `json:"name"`
	Epochs       int         `json:"epochs"`
	TrainParams  json.Number `json:"published_train_params_millions"`
	DeployParams json.Number `json:"published_deploy_params_millions"`
	TrainFLOPs   json.Number `json:"published_train_flops_giga"`
	DeployFLOPs  json.Number `json:"published_deploy_flops_giga"`
	Top1         json.Number `json:"published_top1_percent"`
	Top5         json.Number `json:"published_top5_percent"`
	TrainConfig  string      `json:"train_config"`
	DeployConfig string      `json:"deploy_config"`
	Weights      string      `json:"weights"`
	Note         *string     `json:"note"`
}

func zooJSON(out io.Writer, zoo []repvgg.Published) error {
	all := struct {
		Source string   `json:"source"`
		Note   string   `json:"note"`
		Models []zooRow `json:"models"`
	}{Source: zooSource, Note: repvgg.AccuracyNote}
	for _, m := range zoo {
		row := zooRow{m.Name, m.Epochs, json.Number(m.Train.Params), json.Number(m.Deploy.Params), json.Number(m.Train.FLOPs), json.Number(m.Deploy.FLOPs),
			json.Number(percent(m.Top1)), json.Number(percent(m.Top5)), m.TrainConfig, m.DeployConfig, m.Weights, nil}
		if note := m.Note(); note != "" {
			row.Note = &note
		}
		all.Models = append(all.Models, row)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(all)
}
