package etcd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

const defaultPort = "2379"

// endpoints returns o's endpoints as full URLs, and whether they use TLS. One
// connection serves them all, so one answer has to fit them all. A scheme that
// is given decides, also against files for TLS: flanneld's does.
func (o Options) endpoints() (urls []string, secure bool, err error) {
	for _, raw := range o.Endpoints {
		u, tls, err := o.endpoint(strings.TrimSpace(raw))
		if err != nil {
			return nil, false, err
		}
		if len(urls) > 0 && tls != secure {
			return nil, false, fmt.Errorf("etcd: endpoints %s and %s: one uses TLS and the other does not; use https:// for all or http:// for all", urls[0], u)
		}
		urls, secure = append(urls, u), tls
	}
	if secure && (o.CertFile == "") != (o.KeyFile == "") {
		return nil, false, errors.New("etcd: a client certificate needs its key and the key its certificate; set both --etcd-certfile and --etcd-keyfile")
	}
	return urls, secure, nil
}

func (o Options) endpoint(raw string) (full string, secure bool, err error) {
	if !strings.Contains(raw, "://") {
		raw = map[bool]string{true: "https://", false: "http://"}[o.usesTLSFiles()] + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", false, fmt.Errorf("etcd: endpoint %q is not a URL: %w", withoutUser(raw), errors.Unwrap(err))
	}
	switch u.Scheme {
	case "unix", "unixs":
		return raw, u.Scheme == "unixs", nil
	case "http", "https":
	default:
		return "", false, fmt.Errorf("etcd: endpoint %q: unknown scheme %q; use http, https, unix or unixs", raw, u.Scheme)
	}
	if u.User != nil {
		return "", false, errors.New("etcd: an endpoint holds a user name; give it with --etcd-username and --etcd-password instead")
	}
	if u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", false, fmt.Errorf("etcd: endpoint %q must be a scheme, a host and a port only, like http://10.0.0.1:2379", raw)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", false, fmt.Errorf("etcd: endpoint %q: port %s is not within 1..65535", raw, port)
	}
	out := url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), port)}
	return out.String(), u.Scheme == "https", nil
}

// withoutUser removes a password from a malformed URL, for errors.
func withoutUser(raw string) string {
	if i := strings.LastIndex(raw, "@"); i >= 0 {
		return "..." + raw[i:]
	}
	return raw
}
