package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Skew asks an endpoint for the time and returns how far the clock there is ahead of this
// host's, exact to about a second: etcd tells it in whole seconds.
func Skew(ctx context.Context, o Options) (time.Duration, error) {
	if len(o.Endpoints) == 0 {
		return 0, errors.New("no endpoint is known")
	}
	conf, err := o.tlsConfig()
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Endpoints[0]+"/version", nil)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask etcd for the time: %w", err)
	}
	end := time.Now()
	_ = resp.Body.Close() // nothing of it is read
	there, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("etcd does not tell the time: %w", err)
	}
	middle := begin.Add(end.Sub(begin) / 2)
	return there.Add(time.Second / 2).Sub(middle).Round(time.Second), nil
}
