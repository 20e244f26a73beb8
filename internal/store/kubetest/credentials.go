package kubetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/weft-net/weft/internal/store/etcdtest"
)

// credentials are the files with which the API server and its clients
// authenticate each other.
type credentials struct {
	dir        string
	ca         string // certificate of the CA that signed the server's
	cert, key  string // the server's
	accountKey string // signs the tokens of ServiceAccounts
	tokens     string // the admin's token, for the server
}

// newCredentials writes them into dir for a server at addr, with admin.kubeconfig.
func newCredentials(dir string, addr netip.AddrPort) (credentials, error) {
	c := credentials{dir: dir, accountKey: filepath.Join(dir, "accounts.key"), tokens: filepath.Join(dir, "tokens.csv")}
	ca, err := etcdtest.NewCA(dir, "ca")
	if err != nil {
		return c, fmt.Errorf("create a CA in %s: %w", dir, err)
	}
	c.ca = ca.File
	if c.cert, c.key, err = ca.Issue("apiserver", net.IP(addr.Addr().AsSlice())); err != nil {
		return c, fmt.Errorf("create the API server's certificate in %s: %w", dir, err)
	}
	if err := writeKey(c.accountKey); err != nil {
		return c, fmt.Errorf("create the key of ServiceAccounts: %w", err)
	}
	token := rand.Text()
	row := token + `,admin,admin,"system:masters"` + "\n"
	if err := os.WriteFile(c.tokens, []byte(row), 0o600); err != nil {
		return c, fmt.Errorf("write the admin's token: %w", err)
	}
	_, err = c.kubeconfig("admin", addr, token)
	return c, err
}

func writeKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// kubeconfig writes the file NAME.kubeconfig for the bearer of token.
func (c credentials) kubeconfig(name string, addr netip.AddrPort, token string) (string, error) {
	config := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: "https://" + addr.String(), CertificateAuthority: c.ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: name}},
		CurrentContext: "test",
	}
	path := filepath.Join(c.dir, name+".kubeconfig")
	if err := clientcmd.WriteToFile(config, path); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return path, nil
}
