package embedded

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

func (o ServerOptions) config(serving *atomic.Bool) (*embed.Config, url.URL, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, url.URL{}, err
	}
	listen := o.listenURL(dir)
	c := embed.NewConfig()
	c.Name = "weft"
	c.Dir = filepath.Join(dir, "data")
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{listen}, []url.URL{listen}
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"} // nobody ever calls
	c.ListenPeerUrls, c.AdvertisePeerUrls = nil, []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.ClientTLSInfo = transport.TLSInfo{
		CertFile: o.CertFile, KeyFile: o.KeyFile,
		TrustedCAFile: o.ClientCAFile, ClientCertAuth: o.ClientCAFile != "",
	}
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(slogCore{o.Log, serving}))
	c.EnableGRPCGateway = false
	c.TickMs, c.ElectionMs = 100, 500 // alone in its cluster: elect soon
	// A few thousand small keys that change once a day: keep little history
	// in memory and on disk.
	c.SnapshotCount = 5000
	c.SnapshotCatchUpEntries = 500
	c.MaxWalFiles, c.MaxSnapFiles = 2, 2
	c.QuotaBackendBytes = 512 << 20
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, "1h"
	return c, listen, nil
}

func (o ServerOptions) listenURL(dir string) url.URL {
	switch {
	case o.Listen == "":
		return url.URL{Scheme: "unix", Path: filepath.Join(dir, "etcd.sock")}
	case o.CertFile != "":
		return url.URL{Scheme: "https", Host: o.Listen}
	}
	return url.URL{Scheme: "http", Host: o.Listen}
}

// checkTLS reads the files now; etcd would only log what is wrong with them,
// and refuse every client.
func (o ServerOptions) checkTLS() error {
	if (o.CertFile == "") != (o.KeyFile == "") {
		return errors.New("TLS needs a certificate and its key")
	}
	if o.CertFile == "" && o.ClientCAFile != "" {
		return errors.New("a CA for the certificates of clients needs a certificate of the server's own")
	}
	if o.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile); err != nil {
			return fmt.Errorf("certificate %s with key %s: %w", o.CertFile, o.KeyFile, err)
		}
	}
	if o.ClientCAFile != "" {
		pem, err := os.ReadFile(o.ClientCAFile)
		if err != nil {
			return fmt.Errorf("CA file: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return fmt.Errorf("CA file %s holds no PEM certificate", o.ClientCAFile)
		}
	}
	return nil
}
