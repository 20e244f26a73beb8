package lab

import (
	"os"
	"strconv"
	"time"
)

// PaceVariable has the number by which pings and streams are slower than
// usual. In an emulated machine, which is ten times slower than this one,
// they would take all of its time.
const PaceVariable = "WEFT_LAB_PACE"

// paced is the interval d on this machine.
func paced(d time.Duration) time.Duration {
	if n, err := strconv.Atoi(os.Getenv(PaceVariable)); err == nil && n > 0 {
		return d * time.Duration(n)
	}
	return d
}
