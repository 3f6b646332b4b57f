// Package configs holds the configuration files of the zoo, in the layout and
// the language of MMClassification 0.x. They are the same settings under the
// same names, so that either program can use either tree.
package configs

import "embed"

// FS is the tree of configs: repvgg (training form), repvgg/deploy (after
// re-parameterization) and _base_ (what these are made of).
//
//go:embed repvgg all:_base_
var FS embed.FS
