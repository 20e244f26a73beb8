package mem_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/mem"
	"github.com/weft-net/weft/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Fixture {
		m := mem.New()
		return storetest.Fixture{
			Open: func(*testing.T) store.Store { return m.Client() },
			Put: func(_ *testing.T, key, value string, ttl time.Duration) {
				m.Put(key, []byte(value), ttl)
			},
			Remove: func(t *testing.T, key string) {
				subnets, err := lease.ParseKey(strings.TrimPrefix(key, "subnets/"))
				if err != nil {
					t.Fatal(err)
				}
				m.Expire(subnets...)
			},
		}
	})
}
