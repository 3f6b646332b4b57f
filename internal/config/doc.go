// Package config reads MMClassification 0.x (mmcv 1.x) configuration files into
// ordered values and hands out typed, named sections of them.
//
// It owns the language: .py files (which package starlark evaluates), YAML and JSON,
// _base_ inheritance, _delete_, {{ templates }}, overrides, and the printing of what
// comes out. It knows nothing of what a section means: package recipe does.
//
// The rules follow mmcv/utils/config.py of mmcv 1.x. Differences, all towards a
// clear error or a working value: a {{ _base_.x }} inside a longer string is an
// error, _delete_ never remains as a key, a list element can be overridden by a
// scalar, and custom_imports are reported instead of imported.
package config
