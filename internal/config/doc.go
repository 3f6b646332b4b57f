// Package config reads MMClassification 0.x (mmcv 1.x) configuration files into
// ordered values, and provides typed access to their sections.
//
// It implements the language: .py files (evaluated by package starlark), YAML and
// JSON, _base_ inheritance, _delete_, {{ templates }}, overrides, and printing of
// the merged config. It does not know what a section means; package recipe does.
//
// The rules follow mmcv/utils/config.py of mmcv 1.x, with these differences: a {{
// _base_.x }} inside a longer string is an error, _delete_ never remains as a key,
// a scalar can override a list element, and custom_imports give a warning instead
// of an import.
package config
