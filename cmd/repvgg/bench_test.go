package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"repvgg/internal/bench"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
)

// The published table has both forms of twelve variants, with at most two digits.
// Only the deploy form of D2se differs, and its note says so.
func TestBenchListsThePublishedFigures(t *testing.T) {
	stdout, stderr, status := runCommand(t, "bench", "--zoo", "--runs", "0", "--format", "json")
	if status != 0 {
		t.Fatal(stderr)
	}
	var r bench.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	figures := 0
	for i, p := range repvgg.Zoo() {
		for j, form := range []model.Form{model.Train, model.Deploy} {
			row := r.Rows[2*i+j]
			if "RepVGG-"+row.Variant != p.Name || row.Form != form.String() || row.LatencyMSMedian != nil || *row.PublishedTop1Percent != p.Top1 {
				t.Fatalf("row %d is %s %s: %+v", 2*i+j, row.Variant, row.Form, row)
			}
			want := map[model.Form]repvgg.PublishedCost{model.Train: p.Train, model.Deploy: p.Deploy}[form]
			if row.Variant == "D2se" && form == model.Deploy {
				if want.FLOPs != "32.85" || len(row.Notes) != 1 {
					t.Errorf("published %s, notes %q", want.FLOPs, row.Notes)
				}
				want.FLOPs = "32.86"
			} else if len(row.Notes) > 0 {
				t.Errorf("%s %s has notes %q", row.Variant, row.Form, row.Notes)
			}
			for _, f := range []struct {
				got  float64
				want string
			}{{row.ParamsMillions, want.Params}, {row.FLOPsGiga, want.FLOPs}} {
				if got := strconv.FormatFloat(math.Round(f.got*100)/100, 'f', -1, 64); got != f.want {
					t.Errorf("%s %s: %s, published %s", row.Variant, row.Form, got, f.want)
				}
				figures++
			}
		}
	}
	if figures != 48 || len(r.Rows) != 24 {
		t.Errorf("%d figures in %d rows", figures, len(r.Rows))
	}
}

// Every report fits docs/bench.schema.json, and the schema is tight: every field is
// required, and no others are allowed.
func TestBenchFitsItsSchema(t *testing.T) {
	var schema map[string]any
	readJSON(t, filepath.Join("..", "..", "docs", "bench.schema.json"), &schema)
	cfg := filepath.Join(testdata, "digits", "configs", "repvgg-digits.py")
	before := filepath.Join(t.TempDir(), "before.json")
	run := []string{"bench", cfg, "repvgg-A0", "--input-size", "32", "--runs", "6", "--warmup", "1", "--layers", "--format", "json"}
	for _, args := range [][]string{
		{"bench", "--zoo", "--runs", "0", "--format", "json"},
		append(slices.Clone(run), "--out", before),
		append(slices.Clone(run), "--baseline", before, "--batch-size", "1,2"),
	} {
		stdout, stderr, status := runCommand(t, args...)
		if status != 0 {
			t.Fatal(stderr)
		}
		var value any
		if err := json.Unmarshal([]byte(stdout), &value); err != nil {
			t.Fatal(err)
		}
		checker := schemaChecker{schema}
		if err := checker.check(schema, value, "$"); err != nil {
			t.Errorf("repvgg %s: %v", strings.Join(args, " "), err)
		}
		// The checker must be able to fail.
		row := value.(map[string]any)["rows"].([]any)[0].(map[string]any)
		row["latency_ms_median"] = "1 ms"
		if err := checker.check(schema, value, "$"); err == nil || !strings.Contains(err.Error(), "$.rows[0].latency_ms_median") {
			t.Errorf("a text as latency gives %v", err)
		}
		delete(row, "latency_ms_median")
		if checker.check(schema, value, "$") == nil {
			t.Error("a missing latency fits the schema")
		}
	}
}

// schemaChecker validates values against the subset of JSON Schema that our schema
// uses.
type schemaChecker struct{ root map[string]any }

func (c schemaChecker) check(schema map[string]any, v any, at string) error {
	for key, rule := range schema {
		var err error
		switch key {
		case "$ref":
			name := strings.TrimPrefix(rule.(string), "#/$defs/")
			err = c.check(c.root["$defs"].(map[string]any)[name].(map[string]any), v, at)
		case "anyOf":
			for _, s := range rule.([]any) {
				if err = c.check(s.(map[string]any), v, at); err == nil {
					break
				}
			}
		case "type":
			err = checkType(rule, v, at)
		case "enum":
			if !slices.Contains(rule.([]any), v) {
				err = fmt.Errorf("%s: %v is not one of %v", at, v, rule)
			}
		case "minimum":
			if n, ok := v.(float64); ok && n < rule.(float64) {
				err = fmt.Errorf("%s: %v is less than %v", at, n, rule)
			}
		case "items":
			list, _ := v.([]any)
			for i, item := range list {
				if err == nil {
					err = c.check(rule.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))
				}
			}
		case "required":
			if object, ok := v.(map[string]any); ok {
				err = checkRequired(rule.([]any), object, at)
			}
		case "properties":
			if object, ok := v.(map[string]any); ok {
				err = c.checkProperties(rule.(map[string]any), object, at)
			}
		case "$schema", "$defs", "title", "description", "additionalProperties":
		default:
			err = fmt.Errorf("%s: this test does not know the rule %q", at, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkRequired(names []any, v map[string]any, at string) error {
	for _, name := range names {
		if _, ok := v[name.(string)]; !ok {
			return fmt.Errorf("%s: no %q", at, name)
		}
	}
	return nil
}

// checkProperties assumes that additionalProperties is false.
func (c schemaChecker) checkProperties(properties, v map[string]any, at string) error {
	for name, value := range v {
		p, ok := properties[name].(map[string]any)
		if !ok {
			return fmt.Errorf("%s: %q is not in the schema", at, name)
		}
		if err := c.check(p, value, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func checkType(rule, v any, at string) error {
	types, ok := rule.([]any)
	if !ok {
		types = []any{rule}
	}
	for _, t := range types {
		switch value := v.(type) {
		case nil:
			ok = t == "null"
		case bool:
			ok = t == "boolean"
		case string:
			ok = t == "string"
		case float64:
			ok = t == "number" || t == "integer" && value == math.Trunc(value)
		case []any:
			ok = t == "array"
		case map[string]any:
			ok = t == "object"
		}
		if ok {
			return nil
		}
	}
	return fmt.Errorf("%s: %v is not of type %v", at, v, rule)
}
