package bench

// Report is the result of repvgg bench.
type Report struct {
	Machine Machine `json:"machine"`
	Rows    []Row   `json:"rows"`
}
