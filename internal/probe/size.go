package probe

import "time"

const (
	sizeStep   = 4              // bytes: a size is found to this
	sizeFails  = 3              // misses in a row of a size that passed before
	lossyFails = 6              // on a path that loses small packets too
	findFails  = 2              // misses in a row of a size that is tried in a search
	fullAgain  = time.Minute    // between tries whether a path carries full size again
	fullPasses = 2              // in a row
	searchUp   = 10 * fullAgain // between searches for something between
)

// sizes finds the largest packet that passes a path. Sizes are in bytes of the
// whole IP packet.
type sizes struct {
	mtu       int32         // the largest that passes; 0: the full size, or nothing is known
	low, high int32         // of a search: the largest that passes, the least that does not; 0: there is none
	misses    uint8         // in a row, of the size that is tried
	hits      uint8         // in a row, of the full size after mtu was found
	tried     time.Duration // when the full size was tried last
	searched  time.Duration // when a search ended
}

// size returns what to try next.
func (z *sizes) size(at time.Duration, full int32) int32 {
	switch {
	case z.searching():
		return z.low + max(sizeStep, (z.high-z.low)/2&^(sizeStep-1))
	case z.mtu == 0 || z.mtu >= full || z.hits > 0 || at-z.tried >= fullAgain:
		return full
	}
	return z.mtu
}

func (z *sizes) searching() bool { return z.high > 0 }

// sizeNews is what came of a try.
type sizeNews struct {
	changed bool // mtu
	again   bool // the next try should follow at once
}

// passed takes in that a packet of this size was answered.
func (z *sizes) passed(size, full int32, at time.Duration) sizeNews {
	z.misses = 0
	switch {
	case z.searching() && size < z.high:
		z.low = max(z.low, size)
		return z.narrowed(at)
	case size < full || z.mtu == 0:
		return sizeNews{}
	}
	z.tried = at
	if z.hits++; z.hits < fullPasses {
		return sizeNews{again: true}
	}
	*z = sizes{tried: at}
	return sizeNews{changed: true}
}

// failed takes in that a packet of this size was not answered although small
// ones are. lossy says that some of these are not either; certain, that the size
// can never pass.
func (z *sizes) failed(size, full, least int32, at time.Duration, lossy, certain bool) sizeNews {
	z.hits = 0
	if !z.searching() && z.mtu > 0 && size >= full {
		z.tried = at
		if at-z.searched >= searchUp {
			z.low, z.high, z.misses = z.mtu, size, 0
			return z.narrowed(at)
		}
		return sizeNews{}
	}
	limit := uint8(sizeFails)
	switch {
	case certain:
		limit = 1
	case z.searching():
		limit = findFails
	case lossy:
		limit = lossyFails
	}
	if z.misses++; z.misses < limit {
		return sizeNews{again: true}
	}
	z.misses = 0
	if !z.searching() {
		if size <= least {
			return sizeNews{}
		}
		z.low = least
	}
	z.high = size
	return z.narrowed(at)
}

// narrowed goes on with a search, or ends it.
func (z *sizes) narrowed(at time.Duration) sizeNews {
	if z.high-z.low > sizeStep {
		return sizeNews{again: true}
	}
	was := z.mtu
	*z = sizes{mtu: z.low, tried: at, searched: at}
	return sizeNews{changed: z.mtu != was}
}
