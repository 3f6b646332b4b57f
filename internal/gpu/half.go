package gpu

import (
	"encoding/binary"
	"math"
)

// toHalf rounds to the nearest IEEE half, ties to even. Values that are too large
// become infinities.
func toHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 // NaN
	case b >= 0x477ff000: // 65520 rounds to 65536
		return sign | 0x7c00
	case b >= 0x38800000: // normal numbers, from 2^-14
		return sign | uint16((b-0x38000000+0xfff+b>>13&1)>>13)
	case b <= 0x33000000: // 2^-25 is a tie with 0, which is even
		return sign
	}
	// Subnormal: multiples of 2^-24.
	mantissa := b&0x7fffff | 0x800000
	shift := 126 - b>>23
	half := uint32(1)<<(shift-1) - 1
	return sign | uint16((mantissa+half+mantissa>>shift&1)>>shift)
}

// toBF16 rounds to the nearest bfloat16, ties to even.
func toBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40 // stays NaN
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// encode encodes values in a precision, as the bytes that the device reads.
func encode(values []float32, p precision) []byte {
	out := make([]byte, 0, len(values)*p.size())
	for _, v := range values {
		switch p {
		case fp16:
			out = binary.LittleEndian.AppendUint16(out, toHalf(v))
		case bf16:
			out = binary.LittleEndian.AppendUint16(out, toBF16(v))
		default:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out
}

// largest is the largest finite value of a precision.
func (p precision) largest() float64 {
	if p == fp16 {
		return 65504
	}
	return math.MaxFloat32
}
