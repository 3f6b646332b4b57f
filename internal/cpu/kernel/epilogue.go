package kernel

// Epilogue is what becomes of the sums of a convolution on their way into the
// output: they are added to the bias, or to what the output holds, then ReLU is
// applied, and the result rounded to the output's element type.
//
// Integer sums will need more of it: a scale for each channel before the bias,
// and limits of what is stored. They belong here, beside Bias and ReLU: all that
// stores results takes an Epilogue.
type Epilogue struct {
	// Bias is a value for each output channel, of PadChannels. It is not read with
	// Add, and must be there without.
	Bias []float32
	// Add adds the sums to the output.
	Add bool
	// ReLU replaces what is negative by 0.
	ReLU bool
}

// bias is the address of a panel's bias; nil with Add.
func (e *Epilogue) bias(panel int) *float32 {
	if e.Add {
		return nil
	}
	return &e.Bias[panel*Lanes]
}

// flags are Add and ReLU as the inner loops take them.
func (e *Epilogue) flags() (add, relu int) { return flag(e.Add), flag(e.ReLU) }

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}
