package probe

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// BenchmarkSecond is the cost of deciding and judging in a second of probing,
// as time a second and packets a second. Half a percent of a core is 5 ms; the
// packets' own cost is BenchmarkExchange's of kernel/echo.
func BenchmarkSecond(b *testing.B) {
	for _, peers := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprintf("peers=%d", peers), func(b *testing.B) {
			w := newWorld(&testing.T{}, direct, peers)
			w.run(5 * time.Second)
			before := len(w.sent)
			b.ReportAllocs()
			for b.Loop() {
				w.run(time.Second)
			}
			b.ReportMetric(float64(len(w.sent)-before)/float64(b.N), "packets/s")
		})
	}
}

// TestSizeOfWhatIsKnown keeps the memory of a path small: there are as many as
// peers, and twice that.
func TestSizeOfWhatIsKnown(t *testing.T) {
	const most = 640 // bytes
	if n := reflect.TypeFor[path]().Size(); n > most {
		t.Errorf("a path takes %d bytes; %d are permitted", n, most)
	}
}
