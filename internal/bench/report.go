package bench

// Report is the outcome of a run of bench.
type Report struct {
	Machine Machine `json:"machine"`
	Rows    []Row   `json:"rows"`
}
