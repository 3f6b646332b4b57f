package jpeg

import "errors"

// lookupBits is the length of the codes that are decoded in one step.
const lookupBits = 9

// huffman decodes the symbols of one table (T.81, annex C and F.2.2.3).
type huffman struct {
	lookup  [1 << lookupBits]uint16 // length<<8 | symbol, or 0 for longer codes
	maxCode [17]int32               // for each length the largest code, or -1
	offset  [17]int32               // index of a length's first symbol, less its first code
	symbols [256]byte
}

// newHuffman makes a table of the number of codes of each length from 1 to 16,
// and the symbols in the order of their codes.
func newHuffman(counts, symbols []byte) (*huffman, error) {
	h := new(huffman)
	copy(h.symbols[:], symbols)
	var code, index int32
	for length := int32(1); length <= 16; length++ {
		n := int32(counts[length-1])
		h.maxCode[length] = -1
		if code+n > 1<<length {
			return nil, errors.New("a Huffman table has too many codes")
		}
		if n > 0 {
			h.maxCode[length] = code + n - 1
			h.offset[length] = index - code
		}
		for range n {
			if length <= lookupBits {
				first := code << (lookupBits - length)
				for i := range int32(1) << (lookupBits - length) {
					h.lookup[first+i] = uint16(length<<8) | uint16(symbols[index])
				}
			}
			code++
			index++
		}
		code <<= 1
	}
	return h, nil
}

// symbol decodes the next symbol.
func (r *bitReader) symbol(h *huffman) (byte, error) {
	if r.n < lookupBits {
		r.fill()
	}
	if r.n >= lookupBits {
		if e := h.lookup[r.acc>>(r.n-lookupBits)&(1<<lookupBits-1)]; e != 0 {
			r.n -= uint(e >> 8)
			return byte(e), nil
		}
	}
	var code int32
	for length := uint(1); length <= 16; length++ {
		if err := r.need(length); err != nil {
			return 0, err
		}
		code = int32(r.acc>>(r.n-length)) & (1<<length - 1)
		if code <= h.maxCode[length] {
			r.n -= length
			return h.symbols[h.offset[length]+code], nil
		}
	}
	return 0, errDamaged
}
