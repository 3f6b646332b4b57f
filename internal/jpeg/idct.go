package jpeg

// The inverse DCT is the accurate one of libjpeg, "islow": the algorithm of
// Loeffler, Ligtenberg and Moschytz (ICASSP 1989) on columns, then on rows, with
// 13-bit factors; two fractional bits are kept in between.
const (
	factorBits = 13
	keptBits   = 2
)

// idctBlock transforms the coefficients of a block, in natural order, times their
// quantization steps, into samples; out begins at the block's first sample.
func idctBlock(coefs *[64]int16, quant *[64]int32, out []byte, stride int) {
	var w [64]int32
	for x := range 8 {
		c := coefs[x:]
		q := quant[x:]
		if c[8]|c[16]|c[24]|c[32]|c[40]|c[48]|c[56] == 0 {
			v := int32(c[0]) * q[0] << keptBits
			for y := range 8 {
				w[8*y+x] = v
			}
			continue
		}
		const half, shift = 1 << (factorBits - keptBits - 1), factorBits - keptBits
		y0, y1, y2, y3, y4, y5, y6, y7 := idct8(
			int32(c[0])*q[0], int32(c[8])*q[8], int32(c[16])*q[16], int32(c[24])*q[24],
			int32(c[32])*q[32], int32(c[40])*q[40], int32(c[48])*q[48], int32(c[56])*q[56])
		w[x], w[8+x], w[16+x], w[24+x] = (y0+half)>>shift, (y1+half)>>shift, (y2+half)>>shift, (y3+half)>>shift
		w[32+x], w[40+x], w[48+x], w[56+x] = (y4+half)>>shift, (y5+half)>>shift, (y6+half)>>shift, (y7+half)>>shift
	}
	for y := range 8 {
		// 3 bits more for the factor 8 of two passes; the samples are about 128.
		const shift = factorBits + keptBits + 3
		const half = 1<<(shift-1) + 128<<shift
		r := w[8*y : 8*y+8 : 8*y+8]
		d := out[stride*y : stride*y+8 : stride*y+8]
		y0, y1, y2, y3, y4, y5, y6, y7 := idct8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
		d[0], d[1], d[2], d[3] = clamp8((y0+half)>>shift), clamp8((y1+half)>>shift), clamp8((y2+half)>>shift), clamp8((y3+half)>>shift)
		d[4], d[5], d[6], d[7] = clamp8((y4+half)>>shift), clamp8((y5+half)>>shift), clamp8((y6+half)>>shift), clamp8((y7+half)>>shift)
	}
}

// idct8 is one dimension. Results have factorBits fractional bits more than the
// arguments. The factors are sums of sqrt(2)*cos(k*pi/16), named by their value.
func idct8(x0, x1, x2, x3, x4, x5, x6, x7 int32) (y0, y1, y2, y3, y4, y5, y6, y7 int32) {
	const (
		f0_298631336 = 2446
		f0_390180644 = 3196
		f0_541196100 = 4433
		f0_765366865 = 6270
		f0_899976223 = 7373
		f1_175875602 = 9633
		f1_501321110 = 12299
		f1_847759065 = 15137
		f1_961570560 = 16069
		f2_053119869 = 16819
		f2_562915447 = 20995
		f3_072711026 = 25172
	)
	// The even half.
	r := (x2 + x6) * f0_541196100
	e2, e3 := r-x6*f1_847759065, r+x2*f0_765366865
	e0, e1 := (x0+x4)<<factorBits, (x0-x4)<<factorBits
	a0, a1, a2, a3 := e0+e3, e1+e2, e1-e2, e0-e3

	// The odd half.
	s := (x7 + x3 + x5 + x1) * f1_175875602
	s73, s51 := s-(x7+x3)*f1_961570560, s-(x5+x1)*f0_390180644
	s71, s53 := (x7+x1)*f0_899976223, (x5+x3)*f2_562915447
	b3 := x7*f0_298631336 - s71 + s73
	b2 := x5*f2_053119869 - s53 + s51
	b1 := x3*f3_072711026 - s53 + s73
	b0 := x1*f1_501321110 - s71 + s51
	return a0 + b0, a1 + b1, a2 + b2, a3 + b3, a3 - b3, a2 - b2, a1 - b1, a0 - b0
}
