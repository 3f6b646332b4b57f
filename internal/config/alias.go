package config

import "repvgg/internal/config/value"

// The names that packages which still read sections themselves have for values.
type (
	Value = value.Value
	List  = value.List
	Tuple = value.Tuple
	Dict  = value.Dict
)

// Format is value.Format.
func Format(v Value) string { return value.Format(v) }
