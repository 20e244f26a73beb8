package kernel_test

import (
	"errors"
	"os"
	"testing"

	"github.com/weft-net/weft/internal/kernel"
)

func TestClaim(t *testing.T) {
	here, elsewhere := newHost(t), newHost(t)
	first, second, other := open(t, here), open(t, here), open(t, elsewhere)
	claim, err := first.Claim("flannel.1")
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 { // more than a socket lets wait
		_, err := second.Claim("flannel.1")
		var claimed *kernel.ClaimedError
		if !errors.As(err, &claimed) || claimed.PID != 0 && claimed.PID != int32(os.Getpid()) {
			t.Fatalf("a second claim: %v", err)
		}
	}
	for name, k := range map[string]*kernel.Kernel{"flannel.2": second, "flannel.1": other} {
		c, err := k.Claim(name)
		if err != nil {
			t.Fatalf("%s, which is free: %v", name, err)
		}
		defer c.Close()
	}
	if err := claim.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := second.Claim("flannel.1")
	if err != nil {
		t.Fatal("after the first gave it up:", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
