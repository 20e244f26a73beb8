package kubernetes

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
)

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

// forwardPort asks a server through kubectl port-forward.
func (c *cluster) forwardPort(s server) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), settleLimit)
	defer cancel() // ends kubectl
	cmd := c.admin.Command(ctx, filepath.Join(built.kube, "kubectl"), "port-forward", "pod/"+s.name, fmt.Sprintf(":%d", s.port))
	cmd.Env = c.adminEnv()
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := c.admin.StartCommand(cmd); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
		_ = in.Close()
	}()
	defer func() {
		cancel()
		_ = out.Close()
		<-ended
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := forwarding.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return c.get(ctx, "http://"+m[1]+"/hostname", s.name)
		}
	}
	return fmt.Errorf("kubectl says no port: %w", lines.Err())
}

// get asks a URL from the admin's host.
func (c *cluster) get(ctx context.Context, url, want string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: dialFrom(c.admin), DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && string(text) != want {
		err = fmt.Errorf("%q answered, not %s", text, want)
	}
	return err
}
