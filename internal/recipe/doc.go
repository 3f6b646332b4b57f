// Package recipe knows what the keys of configs mean: it turns the config of a
// framework into networks, data sets and pipelines that know no config.
package recipe
