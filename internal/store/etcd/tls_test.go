package etcd_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/etcdtest"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func start(t *testing.T, args ...string) *etcdtest.Process {
	t.Helper()
	p := must[*etcdtest.Process](t)(etcdtest.Start(t.TempDir(), args...))
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func issue(t *testing.T, ca *etcdtest.CA, name string) (cert, key string) {
	t.Helper()
	cert, key, err := ca.Issue(name)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// works fails unless o reaches etcd.
func works(t *testing.T, o etcd.Options) {
	t.Helper()
	if _, err := open(t, o).Snapshot(t.Context()); err != nil {
		t.Error(err)
	}
}

// fails fails unless o opens, and calls fail saying all of want.
func fails(t *testing.T, o etcd.Options, want ...string) {
	t.Helper()
	o.RequestTimeout = brief
	s := open(t, o)
	var err error
	for range 10 { // on a busy machine the cause may take longer than one call
		if _, err = s.Snapshot(t.Context()); err == nil || saysAll(err, want) {
			break
		}
	}
	says(t, err, want...)
}

func saysAll(err error, want []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(err.Error(), w) })
}

func says(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q, want it to say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "context deadline exceeded") {
		t.Errorf("error %q speaks of contexts", err)
	}
}

func TestTLSWithCAOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "ca"))
	other := must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "other"))
	cert, key := issue(t, ca, "server")
	p := start(t, "--cert-file", cert, "--key-file", key)
	works(t, etcd.Options{Endpoints: []string{p.URL()}, CAFile: ca.File})
	works(t, etcd.Options{Endpoints: []string{p.Addr()}, CAFile: ca.File})
	fails(t, etcd.Options{Endpoints: []string{p.URL()}, CAFile: other.File}, p.Addr(), "certificate signed by unknown authority")
	fails(t, etcd.Options{Endpoints: []string{p.URL()}}, p.Addr(), "certificate signed by unknown authority")
	fails(t, etcd.Options{Endpoints: []string{p.Addr()}}, p.Addr(), "TLS")
	fails(t, etcd.Options{Endpoints: []string{"https://" + shared.Addr()}, CAFile: ca.File}, "TLS")
}

func TestTLSWithClientCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "ca"))
	other := must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "other"))
	cert, key := issue(t, ca, "server")
	p := start(t, "--cert-file", cert, "--key-file", key, "--client-cert-auth", "--trusted-ca-file", ca.File)
	cert, key = issue(t, ca, "client")
	o := etcd.Options{Endpoints: []string{p.URL()}, CAFile: ca.File, CertFile: cert, KeyFile: key}
	works(t, o)
	fails(t, etcd.Options{Endpoints: []string{p.URL()}, CAFile: ca.File}, p.Addr(), "certificate")
	foreignCert, foreignKey := issue(t, other, "foreign")
	fails(t, etcd.Options{Endpoints: []string{p.URL()}, CAFile: ca.File, CertFile: foreignCert, KeyFile: foreignKey}, p.Addr(), "certificate")
}

// Certificates are replaced on disk, the server comes back with them, and the
// open store goes on.
func TestTLSFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "ca"))
	cert, key := issue(t, ca, "server")
	clientCert, clientKey := issue(t, ca, "client")
	p := start(t, "--cert-file", cert, "--key-file", key, "--client-cert-auth", "--trusted-ca-file", ca.File)
	s := open(t, etcd.Options{Endpoints: []string{p.URL()}, CAFile: ca.File, CertFile: clientCert, KeyFile: clientKey})
	must[store.Snapshot](t)(s.Snapshot(t.Context()))

	ca = must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "ca")) // a new one, in the same file
	issue(t, ca, "server")
	issue(t, ca, "client")
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	must[store.Snapshot](t)(s.Snapshot(t.Context()))

	if err := os.Remove(clientKey); err != nil {
		t.Fatal(err)
	}
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Snapshot(t.Context())
	says(t, err, p.Addr(), clientKey)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	ca := must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "ca"))
	cert, key := issue(t, ca, "one")
	_, otherKey := issue(t, ca, "two")
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	https, http := []string{"https://127.0.0.1:2379"}, []string{"http://127.0.0.1:2379"}
	for name, c := range map[string]struct {
		o    etcd.Options
		want string
	}{
		"no endpoint":              {etcd.Options{}, "--etcd-endpoints"},
		"a certificate alone":      {etcd.Options{Endpoints: https, CertFile: cert}, "--etcd-keyfile"},
		"a missing CA":             {etcd.Options{Endpoints: https, CAFile: dir + "/none"}, dir + "/none"},
		"an empty CA":              {etcd.Options{Endpoints: https, CAFile: empty}, empty},
		"a missing certificate":    {etcd.Options{Endpoints: https, CertFile: dir + "/none", KeyFile: key}, dir + "/none"},
		"a missing key":            {etcd.Options{Endpoints: https, CertFile: cert, KeyFile: dir + "/none"}, dir + "/none"},
		"another key":              {etcd.Options{Endpoints: https, CertFile: cert, KeyFile: otherKey}, otherKey},
		"both kinds of endpoint":   {etcd.Options{Endpoints: append(http, https...)}, "one uses TLS"},
		"an unknown scheme":        {etcd.Options{Endpoints: []string{"ftp://127.0.0.1"}}, `"ftp"`},
		"no host":                  {etcd.Options{Endpoints: []string{"http://"}}, "a host"},
		"a path":                   {etcd.Options{Endpoints: []string{"http://127.0.0.1:2379/v2"}}, "a port only"},
		"a wrong port":             {etcd.Options{Endpoints: []string{"http://127.0.0.1:66000"}}, "66000"},
		"a user in the endpoint":   {etcd.Options{Endpoints: []string{"http://root:geheim@127.0.0.1:2379"}}, "--etcd-username"},
		"a user and no password":   {etcd.Options{Endpoints: http, Username: "root"}, "--etcd-password"},
		"a password and no user":   {etcd.Options{Endpoints: http, Password: "geheim"}, "--etcd-username"},
		"an endpoint of rubbish":   {etcd.Options{Endpoints: []string{"http://root:geheim@[::1"}}, "not a URL"},
		"an endpoint of nothing":   {etcd.Options{Endpoints: []string{""}}, "a host"},
		"a port that is no number": {etcd.Options{Endpoints: []string{"127.0.0.1:http"}}, "not a URL"},
	} {
		s, err := etcd.Open(t.Context(), c.o)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: error %q, want it to say %q and no password", name, err, c.want)
		}
	}
}
