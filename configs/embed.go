// Package configs embeds the configuration files of the zoo, in the layout and the
// language of MMClassification 0.x. They have the same settings under the same
// names, so that either program can use either tree.
package configs

import "embed"

// FS is the tree of configs: repvgg (train form), repvgg/deploy (deploy form) and
// _base_ (their bases).
//
//go:embed repvgg all:_base_
var FS embed.FS
