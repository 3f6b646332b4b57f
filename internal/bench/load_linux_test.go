package bench

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// user 100 + nice 20 + system 30 + irq 1 + softirq 2 + steal 7, without idle
	// and iowait; guest is part of user.
	stat := "cpu  100 20 30 4000 500 1 2 7 50 0\ncpu0 50 10 15 2000 250 1 1 3 25 0\ncpu1 50 10 15 2000 250 0 1 4 25 0\nintr 12345 0\nctxt 99\n"
	l, ok := parseStat([]byte(stat))
	if !ok || l.Cores != 2 || l.Busy != 1600*time.Millisecond {
		t.Errorf("%+v, %v", l, ok)
	}
	if _, ok := parseStat([]byte("cpu  a b c d e f g h\n")); ok {
		t.Error("letters are taken for numbers")
	}
	if l, ok := ReadLoad(); ok && (l.Cores < 1 || l.Busy < l.Own/2) {
		t.Errorf("this machine has %+v", l)
	}
}
