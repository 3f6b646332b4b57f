// Package metrics computes what MMClassification's evaluate() computes from the
// scores of a single-label classifier: top-k accuracy, precision, recall, F1 and
// support, with the same keys, order and arithmetic. The original does not define
// the order of equal scores. Here the lowest class comes first.
package metrics
