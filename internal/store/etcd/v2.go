package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/store/view"
)

// V2 is what etcd's v2 store holds of a network. Flannel kept networks there
// before 0.11; etcd serves that store up to 3.5, with --enable-v2, beside the v3
// store and apart from it.
type V2 struct {
	Config []byte   // nil: there is none
	Leases []string // keys of the leases, as 10.5.34.0-24
}

// errNoV2 means that etcd serves no v2 store.
var errNoV2 = errors.New("it serves no v2 store (etcd up to 3.5 does with --enable-v2)")

const (
	v2Keys     = "/v2/keys"
	v2NotFound = 100     // errorCode of a key that is not there
	maxV2      = 4 << 20 // bytes of an answer
	v2Patience = time.Second
)

// V2 reads etcd's v2 store, at the same endpoints and with the same prefix and
// credentials as the v3 store.
func (s *Store) V2(ctx context.Context) (V2, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.RequestTimeout)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	tls, err := s.o.tlsConfig()
	if err != nil && strings.HasPrefix(s.urls[0], "https") {
		return V2{}, err
	}
	transport.TLSClientConfig = tls
	r := v2Reader{Store: s, http: &http.Client{Transport: transport}}
	var errs []error
	for _, at := range s.urls {
		out, err := r.read(ctx, at)
		if err == nil {
			return out, nil
		}
		errs = append(errs, fmt.Errorf("etcd at %s: reading its v2 store: %w", at, err))
	}
	return V2{}, errors.Join(errs...)
}

type v2Reader struct {
	*Store
	http *http.Client
}

func (r v2Reader) read(ctx context.Context, at string) (out V2, err error) {
	config, err := r.get(ctx, at, r.keys.config())
	if err != nil {
		return out, err
	}
	if config != nil && !config.Dir {
		out.Config = []byte(config.Value)
	}
	subnets, err := r.get(ctx, at, path.Join(r.keys.prefix, view.Subnets))
	if err != nil || subnets == nil {
		return out, err
	}
	for _, n := range subnets.Nodes {
		out.Leases = append(out.Leases, path.Base(n.Key))
	}
	slices.Sort(out.Leases)
	return out, nil
}

// v2Node is a key, or a directory of keys, of the v2 API.
type v2Node struct {
	Key   string   `json:"key"`
	Value string   `json:"value"`
	Dir   bool     `json:"dir"`
	Nodes []v2Node `json:"nodes"`
}

// get returns the node of a key, nil if there is none.
func (r v2Reader) get(ctx context.Context, at, key string) (*v2Node, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+v2Keys+(&url.URL{Path: key}).EscapedPath()+"?quorum=true", nil)
	if err != nil {
		return nil, err
	}
	if r.o.Username != "" {
		req.SetBasicAuth(r.o.Username, r.o.Password)
	}
	resp, err := r.http.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return nil, failed.Err // without the URL, which is said already
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxV2))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Node    *v2Node `json:"node"`
		Code    int     `json:"errorCode"`
		Message string  `json:"message"`
	}
	readable := json.Unmarshal(body, &answer) == nil
	switch {
	case readable && answer.Node != nil:
		return answer.Node, nil
	case readable && answer.Code == v2NotFound:
		return nil, nil
	case readable && answer.Message != "":
		return nil, fmt.Errorf("it answers %s: %s", resp.Status, answer.Message)
	case resp.StatusCode == http.StatusNotFound:
		return nil, errNoV2
	}
	return nil, fmt.Errorf("it answers %s", resp.Status)
}

// missing says where else the config is, if it is not in the v3 store; nil if
// that is not known.
func (s *Store) missing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, v2Patience)
	defer cancel()
	if v2, err := s.V2(ctx); err != nil || v2.Config == nil {
		return nil
	}
	return errors.New("it is in etcd's v2 store, which flannel used before 0.11; copy it to the v3 store with 'weft config import --from-v2'")
}
