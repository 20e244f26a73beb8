package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// security makes connections secure, or leaves them plain, and notes why a
// handshake failed. It reads the files anew for every connection.
type security struct {
	credentials.TransportCredentials // for Info only
	load                             func() (credentials.TransportCredentials, error)
	trail                            *trail
}

func newSecurity(o Options, secure bool, t *trail) (*security, error) {
	load := func() (credentials.TransportCredentials, error) { return insecure.NewCredentials(), nil }
	if secure {
		load = func() (credentials.TransportCredentials, error) {
			conf, err := o.tlsConfig()
			if err != nil {
				return nil, err
			}
			return credentials.NewTLS(conf), nil
		}
	}
	first, err := load()
	if err != nil {
		return nil, err
	}
	return &security{TransportCredentials: first, load: load, trail: t}, nil
}

// ClientHandshake is called by grpc for every new connection.
func (s *security) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	addr := raw.RemoteAddr().String()
	creds, err := s.load()
	if err != nil {
		s.trail.failed(addr, err)
		return nil, nil, err
	}
	conn, info, err := creds.ClientHandshake(ctx, authority, raw)
	if err != nil {
		s.trail.failed(addr, fmt.Errorf("TLS: %w", err))
		return nil, nil, err
	}
	return &greeted{Conn: conn, trail: s.trail, addr: addr}, info, nil
}

// Clone is part of credentials.TransportCredentials; nothing in s changes.
func (s *security) Clone() credentials.TransportCredentials { return s }

// tlsConfig reads the files of o.
func (o Options) tlsConfig() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("etcd: CA file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("etcd: CA file %s holds no PEM certificate", o.CAFile)
		}
	}
	if o.CertFile != "" {
		cert, err := o.certificate()
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

func (o Options) certificate() (tls.Certificate, error) {
	certPEM, err := os.ReadFile(o.CertFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("etcd: certificate file: %w", err)
	}
	keyPEM, err := os.ReadFile(o.KeyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("etcd: key file: %w", err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("etcd: certificate %s with key %s: %w", o.CertFile, o.KeyFile, err)
	}
	return cert, nil
}
