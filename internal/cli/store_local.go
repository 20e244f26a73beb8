package cli

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// localEtcdURL is where an etcd listens for clients by default.
const localEtcdURL = "http://127.0.0.1:2379"

// isEtcd reports whether an etcd answers at url, soon and without TLS.
func isEtcd(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/version", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return err == nil && strings.Contains(string(body), "etcdserver")
}
