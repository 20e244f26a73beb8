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
	"strings"

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
	tokens     string // those of the admin, the nodes and the components, for the server

	kubeletClientCert, kubeletClientKey string // the API server's as a client of kubelets; "" without nodes
}

// Users of the API server that its own roles are bound to.
const (
	schedulerName = "system:kube-scheduler"
	proxyName     = "system:kube-proxy"
	nodePrefix    = "system:node:"
	adminsGroup   = "system:masters"
	nodesGroup    = "system:nodes"
)

// newCredentials writes them into dir for a server at addr, with
// admin.kubeconfig, and with those of nodes and components if there are nodes.
func newCredentials(dir string, addr netip.AddrPort, nodes []string) (credentials, error) {
	c := credentials{dir: dir, accountKey: filepath.Join(dir, "accounts.key"), tokens: filepath.Join(dir, "tokens.csv")}
	ca, err := etcdtest.NewCA(dir, "ca")
	if err != nil {
		return c, fmt.Errorf("create a CA in %s: %w", dir, err)
	}
	c.ca = ca.File
	if c.cert, c.key, err = ca.Issue("apiserver", append(serviceIPs(), addr.Addr().AsSlice())...); err != nil {
		return c, fmt.Errorf("create the API server's certificate in %s: %w", dir, err)
	}
	if err := writeKey(c.accountKey); err != nil {
		return c, fmt.Errorf("create the key of ServiceAccounts: %w", err)
	}
	groups := map[string]string{"admin": adminsGroup}
	if len(nodes) > 0 {
		// With this group it may do on a kubelet whatever a request asks for.
		c.kubeletClientCert, c.kubeletClientKey, err = ca.IssueFor("apiserver-kubelet-client", adminsGroup)
		if err != nil {
			return c, fmt.Errorf("create the API server's certificate for kubelets in %s: %w", dir, err)
		}
		groups[schedulerName], groups[proxyName] = "", ""
	}
	for _, node := range nodes {
		groups[nodePrefix+node] = nodesGroup
	}
	return c, c.writeUsers(addr, groups)
}

// serviceIPs are the addresses by which pods know the API server.
func serviceIPs() (ips []net.IP) {
	for cidr := range strings.SplitSeq(serviceRanges, ",") {
		ips = append(ips, netip.MustParsePrefix(cidr).Addr().Next().AsSlice())
	}
	return ips
}

// writeUsers writes the token and the kubeconfig of each user, who is in the
// group that groups names.
func (c credentials) writeUsers(addr netip.AddrPort, groups map[string]string) error {
	var rows strings.Builder
	for user, group := range groups {
		token := rand.Text()
		fmt.Fprintf(&rows, "%s,%s,%s,%q\n", token, user, user, group)
		if _, err := c.kubeconfig(user, addr, token); err != nil {
			return err
		}
	}
	if err := os.WriteFile(c.tokens, []byte(rows.String()), 0o600); err != nil {
		return fmt.Errorf("write the users' tokens: %w", err)
	}
	return nil
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
	path := c.path(name)
	if err := clientcmd.WriteToFile(config, path); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return path, nil
}

// path is that of a user's kubeconfig.
func (c credentials) path(name string) string { return filepath.Join(c.dir, name+".kubeconfig") }

// CA is the path of the certificate that the cluster's clients trust, kubelets
// among them.
func (c *Cluster) CA() string { return c.creds.ca }

// KubeletConfig is the path of the kubeconfig of a node's kubelet.
func (c *Cluster) KubeletConfig(node string) string { return c.creds.path(nodePrefix + node) }

// ProxyConfig is the path of kube-proxy's kubeconfig.
func (c *Cluster) ProxyConfig() string { return c.creds.path(proxyName) }
