// Package metrics computes what MMClassification's evaluate() computes from the
// scores of a single-label classifier: top-k accuracy, precision, recall, F1
// and support, under the same keys, in the same order and with the same
// arithmetic. Where the original leaves the order of equal scores open, the
// lowest class comes first.
package metrics
