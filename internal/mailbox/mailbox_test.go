package mailbox_test

import (
	"testing"

	"github.com/weft-net/weft/internal/mailbox"
)

func TestTheNewestValueIsReceived(t *testing.T) {
	m := mailbox.New[int]()
	m.Put(1)
	m.Put(2)
	if v := <-m; v != 2 {
		t.Errorf("received %d, want 2", v)
	}
	select {
	case v := <-m:
		t.Errorf("received %d after the newest value", v)
	default:
	}
}
