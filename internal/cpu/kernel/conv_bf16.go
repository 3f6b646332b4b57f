package kernel

// roundedRows is rows with bf16 results, by way of scratch.
func (c *Conv) roundedRows(dst, src *Maps, image int, r run, panel, n, row0, row1 int, offsets []int, length int, ep Epilogue, scratch *Scratch) {
	t := c.variant.tile(dst.W, n)
	weights := &c.panel(r, panel)[0]
	panelBytes := r.blocks * c.blockLen() * floatBytes
	aStride, cStride := c.Stride*src.cell()*floatBytes, n*cellBytes
	sums := grow(&scratch.rows, dst.W*n*Lanes)
	for y := row0; y < row1; y++ {
		gemm := func(rows, x, blocks int) {
			if blocks > 0 {
				c.gemm[n-1][rows-1](src.pointer(image, r.block0, y*c.Stride-c.PadH, x*c.Stride-c.PadW), aStride, rows*aStride, &offsets[0], len(offsets), length,
					weights, panelBytes, weights, &sums[x*n*Lanes], cStride, cellBytes, rows*cStride, nil, 0, 0, blocks)
			}
		}
		gemm(t.rows+1, 0, t.large)
		gemm(t.rows, t.large*(t.rows+1), t.small)
		c.finish(dst, image, panel, n, y, 0, dst.W, sums, ep)
	}
}

// finish writes the results of n panels of neighbouring cells from their sums.
func (c *Conv) finish(dst *Maps, image, panel, n, y, x, cells int, sums []float32, ep Epilogue) {
	_, relu := ep.flags()
	for p := panel; p < panel+n; p++ {
		from, bias := &sums[(p-panel)*Lanes], &c.bias[p*Lanes]
		if dst.BF16 {
			// Two panels to a cell.
			to := &dst.Data[image*dst.Len()+dst.at(p/2, y, x)+p%2*Lanes/2]
			c.variant.finishBF16(to, from, n*cellBytes, bias, relu, cells)
		} else {
			c.variant.finish(dst.pointer(image, p, y, x), from, n*cellBytes, bias, relu, cells)
		}
	}
}

// tileRows is the rows of a tile register.
const tileRows = 16

// strip is some neighbouring cells of a row of the output.
type strip struct{ y, x, cells int }

// tiles is rows in tile registers: two strips at once, of the same row or not.
func (c *Conv) tiles(dst, src *Maps, image int, r run, panel, n, row0, row1 int, offsets []int, ep Epilogue, scratch *Scratch) {
	wide := ceilDiv(dst.W, tileRows)
	at := func(i int) strip {
		x, end := i%wide*dst.W/wide, (i%wide+1)*dst.W/wide
		return strip{row0 + i/wide, x, end - x}
	}
	input := func(s strip) int { return src.at(r.block0, s.y*c.Stride-c.PadH, s.x*c.Stride-c.PadW) }
	weights := &c.panel(r, panel)[0]
	panelBytes := r.blocks * c.blockLen() * floatBytes
	width := n * Lanes
	sums := grow(&scratch.rows, 2*tileRows*width)
	for i, count := 0, (row1-row0)*wide; i < count; i += 2 {
		first, second := at(i), strip{}
		aSecond := 0
		if i+1 < count {
			second = at(i + 1)
			aSecond = (input(second) - input(first)) * floatBytes
		}
		c.variant.amx(&src.Data[image*src.Len()+input(first)], c.Stride*cellBytes, aSecond, &offsets[0], len(offsets), weights, panelBytes,
			&sums[0], width*floatBytes, tileRows*width*floatBytes, first.cells, second.cells, n)
		c.finish(dst, image, panel, n, first.y, first.x, first.cells, sums, ep)
		if second.cells > 0 {
			c.finish(dst, image, panel, n, second.y, second.x, second.cells, sums[tileRows*width:], ep)
		}
	}
}
