package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// DefaultSocket is where dockerd answers unless told otherwise.
const DefaultSocket = "/var/run/docker.sock"

// askLimit is how long dockerd may take to answer.
const askLimit = 2 * time.Second

// ask reads an object of the API of the dockerd at a unix socket into doc.
func ask(ctx context.Context, socket, path string, doc any) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+path, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	err = json.NewDecoder(http.MaxBytesReader(nil, answer.Body, maxSize)).Decode(doc)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is no dockerd's answer (%s)", socket, answer.Status)
	}
	return nil
}
