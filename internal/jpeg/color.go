package jpeg

// convertRow converts a row from YCbCr with libjpeg's 16-bit fixed-point
// factors (JFIF): 1.402, 0.344136286, 0.714136286 and 1.772. It fills rgb; the
// other rows have at least a third as many samples.
func convertRow(rgb, luma, cb, cr []byte) {
	const (
		half  = 1 << 15
		crToR = 91881
		cbToG = 22554
		crToG = 46802
		cbToB = 116130
	)
	n := len(rgb) / 3
	luma, cb, cr = luma[:n], cb[:n], cr[:n]
	for x, l := range luma {
		y, b, r := int32(l), int32(cb[x])-128, int32(cr[x])-128
		d := rgb[3*x : 3*x+3 : 3*x+3]
		d[0] = clamp8(y + (crToR*r+half)>>16)
		d[1] = clamp8(y + (-cbToG*b-crToG*r+half)>>16)
		d[2] = clamp8(y + (cbToB*b+half)>>16)
	}
}

// grayRow expands a row of grey.
func grayRow(rgb, gray []byte) {
	for _, v := range gray[:len(rgb)/3] {
		rgb[0], rgb[1], rgb[2] = v, v, v
		rgb = rgb[3:]
	}
}

// rgbRow interleaves three rows.
func rgbRow(rgb, red, green, blue []byte) {
	n := len(rgb) / 3
	red, green, blue = red[:n], green[:n], blue[:n]
	for x, v := range red {
		d := rgb[3*x : 3*x+3 : 3*x+3]
		d[0], d[1], d[2] = v, green[x], blue[x]
	}
}

// invertRow inverts a row: libjpeg takes a YCCK file's YCC for RGB of which
// CMY is the complement.
func invertRow(row []byte) {
	for i, v := range row {
		row[i] = 255 - v
	}
}

// blackRow converts a row as OpenCV does: in place from CMY, with 255 for no ink,
// and the row of black.
func blackRow(row, black []byte) {
	for _, v := range black[:len(row)/3] {
		k := int32(v)
		for i, c := range row[:3] {
			row[i] = byte(k - (255-int32(c))*k>>8)
		}
		row = row[3:]
	}
}

// clamp8 saturates to 0..255.
func clamp8(v int32) byte {
	if uint32(v) > 255 {
		v = ^(v >> 31) & 255
	}
	return byte(v)
}
