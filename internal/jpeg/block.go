package jpeg

// The five ways to code a block: T.81, F.2.2 and G.1.2. All fill b in natural
// order; i is the component's index in the scan.

// difference reads a DC coefficient, coded as the difference to the one before.
func (s *scan) difference(i int) (int32, error) {
	n, err := s.in.symbol(s.dc[i])
	if err != nil {
		return 0, err
	}
	if n > 15 {
		return 0, errDamaged
	}
	d, err := s.in.extended(uint(n))
	s.components[i].dc += d
	return s.components[i].dc, err
}

func (s *scan) sequential(i int, b *[64]int16) error {
	dc, err := s.difference(i)
	if err != nil {
		return err
	}
	b[0] = int16(dc)
	table := s.ac[i]
	for k := 1; k < 64; k++ {
		symbol, err := s.in.symbol(table)
		if err != nil {
			return err
		}
		run, size := int(symbol>>4), uint(symbol&15)
		if size == 0 {
			if run != 15 {
				return nil
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errDamaged
		}
		v, err := s.in.extended(size)
		if err != nil {
			return err
		}
		b[natural[k]] = int16(v)
	}
	return nil
}

func (s *scan) firstDC(i int, b *[64]int16) error {
	dc, err := s.difference(i)
	b[0] = int16(dc << s.low)
	return err
}

func (s *scan) refineDC(_ int, b *[64]int16) error {
	bit, err := s.in.bits(1)
	b[0] |= int16(bit << s.low)
	return err
}

func (s *scan) firstAC(i int, b *[64]int16) error {
	if s.endOfBandBlock > 0 {
		s.endOfBandBlock--
		return nil
	}
	for k := s.first; k <= s.last; k++ {
		symbol, err := s.in.symbol(s.ac[i])
		if err != nil {
			return err
		}
		run, size := int(symbol>>4), uint(symbol&15)
		if size == 0 {
			if run != 15 {
				s.endOfBandBlock, err = s.endOfBand(uint(run))
				s.endOfBandBlock-- // this block
				return err
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errDamaged
		}
		v, err := s.in.extended(size)
		if err != nil {
			return err
		}
		b[natural[k]] = int16(v << s.low)
	}
	return nil
}

// endOfBand reads the number of blocks that have nothing more in the band.
func (s *scan) endOfBand(size uint) (int32, error) {
	extra, err := s.in.bits(size)
	return 1<<size + extra, err
}

func (s *scan) refineAC(i int, b *[64]int16) error {
	k := s.first
	if s.endOfBandBlock == 0 {
		for ; k <= s.last; k++ {
			symbol, err := s.in.symbol(s.ac[i])
			if err != nil {
				return err
			}
			run, size := int(symbol>>4), symbol&15
			var value int16
			switch {
			case size > 1:
				return errDamaged
			case size == 1:
				bit, err := s.in.bits(1)
				if err != nil {
					return err
				}
				value = int16(2*bit-1) << s.low
			case run != 15:
				if s.endOfBandBlock, err = s.endOfBand(uint(run)); err != nil {
					return err
				}
			}
			if s.endOfBandBlock > 0 {
				break
			}
			if k, err = s.refine(b, k, run); err != nil {
				return err
			}
			if value != 0 {
				if k > s.last {
					return errDamaged
				}
				b[natural[k]] = value
			}
		}
	}
	if s.endOfBandBlock > 0 {
		s.endOfBandBlock--
		_, err := s.refine(b, k, 64)
		return err
	}
	return nil
}

// refine reads a bit more of each coefficient from k on that is not zero, and
// stops at the zero after as many zeros as run says.
func (s *scan) refine(b *[64]int16, k, run int) (int, error) {
	for ; k <= s.last; k++ {
		c := &b[natural[k]]
		if *c == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		bit, err := s.in.bits(1)
		if err != nil {
			return k, err
		}
		one := int16(1) << s.low
		switch {
		case bit == 0 || *c&one != 0:
		case *c > 0:
			*c += one
		default:
			*c -= one
		}
	}
	return k, nil
}
