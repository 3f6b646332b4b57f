package preprocess

import (
	"fmt"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	for _, c := range [][2]string{{"pillow", "bilinear"}, {"pillow", "bicubic"}, {"pillow", "lanczos"}, {"cv2", "bilinear"}} {
		r, _ := newResizer(c[0], c[1])
		src, buf := noise(1, 500, 375), new(buffers)
		for _, p := range []part{whole(341, 256), {341, 256, 58, 16, 282, 240}} {
			best := time.Hour
			for range 400 {
				s := time.Now()
				r.apply(src, p, buf)
				best = min(best, time.Since(s))
			}
			fmt.Println(c, p, best)
		}
		if c[1] == "bilinear" && c[0] == "pillow" {
			k := pillowKernel{triangleWeight, 1}
			var l tapList
			dst := &Image{Width: 341, Height: 375, Pix: make([]byte, 341*375*3)}
			d2 := &Image{Width: 341, Height: 256, Pix: make([]byte, 341*256*3)}
			b1, b2, b3 := time.Hour, time.Hour, time.Hour
			for range 400 {
				s := time.Now()
				l.compute(k, 500, 341, 0, 341, &buf.doubles)
				b1 = min(b1, time.Since(s))
				s = time.Now()
				resampleRows(dst, src, 0, &l)
				b2 = min(b2, time.Since(s))
				l.compute(k, 375, 256, 0, 256, &buf.doubles)
				s = time.Now()
				resampleColumns(d2, dst, 0, 0, &l, buf)
				b3 = min(b3, time.Since(s))
			}
			fmt.Println("taps", b1, "rows", b2, "columns", b3, l.most)
		}
	}
}
