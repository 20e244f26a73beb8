package memkernel_test

import (
	"testing"

	"github.com/weft-net/weft/internal/kernel/kerneltest"
	"github.com/weft-net/weft/internal/reconcile/memkernel"
)

func TestConformance(t *testing.T) {
	kerneltest.Run(t, func(*testing.T) kerneltest.Host {
		w := memkernel.New("eth0")
		return kerneltest.Host{Kernel: w.Open(), Other: w.Open()}
	})
}
