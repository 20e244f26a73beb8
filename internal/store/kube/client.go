package kube

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/connrotation"
)

// Bounds on what one agent may ask of the API server. At rest it asks for
// nothing but a watch from time to time; this is for when something flaps.
const (
	requestsPerSecond = 10
	requestsAtOnce    = 20
)

// client speaks with the API server. client-go reads the credentials and
// makes the connection; its typed clients and caches are left out, as they
// would cost every start of the program more than all else together.
type client struct {
	rest    *rest.RESTClient
	url     string
	dialer  *connrotation.Dialer
	counts  counts
	timeout time.Duration
}

// scheme knows the one kind of object that client-go must read by itself: the
// API server's reasons for refusing something.
func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	metav1.AddToGroupVersion(s, schema.GroupVersion{Version: "v1"})
	return s
}

func newClient(o Options) (*client, error) {
	config, err := connection(o)
	if err != nil {
		return nil, err
	}
	c := &client{timeout: o.RequestTimeout, url: config.Host}
	c.dialer = connrotation.NewDialer((&net.Dialer{Timeout: o.RequestTimeout, KeepAlive: 15 * time.Second}).DialContext)
	config.Dial = c.dialer.DialContext
	config.QPS, config.Burst = requestsPerSecond, requestsAtOnce
	config.WarningHandler = rest.NoWarnings{}
	config.UserAgent = "weft"
	config.APIPath = "/api"
	config.GroupVersion = &schema.GroupVersion{Version: "v1"}
	config.AcceptContentTypes = runtime.ContentTypeProtobuf
	config.ContentType = runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(newScheme()).WithoutConversion()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counter{next: next, counts: &c.counts} })
	if c.rest, err = rest.RESTClientFor(config); err != nil {
		return nil, fmt.Errorf("the Kubernetes API at %s: %w", config.Host, err)
	}
	return c, nil
}

// connection finds the API server and the credentials.
func connection(o Options) (*rest.Config, error) {
	if o.Kubeconfig == "" && o.APIURL == "" {
		if config, err := rest.InClusterConfig(); err == nil {
			return config, nil
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{}
	overrides.ClusterInfo.Server = o.APIURL
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	switch {
	case err == nil:
		return config, nil
	case clientcmd.IsEmptyConfig(err):
		return nil, fmt.Errorf("nothing says where the Kubernetes API server is: this process runs in no pod of a cluster, and there is no kubeconfig; give --kubeconfig-file or --kube-api-url")
	case o.Kubeconfig != "":
		return nil, fmt.Errorf("kubeconfig %s: %w", o.Kubeconfig, err)
	}
	return nil, fmt.Errorf("connection to Kubernetes: %w", err)
}

// raw does one request within the time for one, and returns the answer.
func (c *client) raw(ctx context.Context, what string, r *rest.Request) ([]byte, error) {
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	doc, err := r.MaxRetries(retries).Do(within).Raw()
	if err != nil {
		return nil, c.explain(ctx, what, err)
	}
	return doc, nil
}

// retries is how often client-go asks again when the server says "later".
const retries = 3

// nodes asks for the nodes that o means; only that of a name, if there is one.
func (c *client) nodes(name string, o metav1.ListOptions) *rest.Request {
	if name != "" {
		o.FieldSelector = "metadata.name=" + name
	}
	return c.rest.Get().Resource("nodes").VersionedParams(&o, metav1.ParameterCodec)
}

// page asks for a list of nodes, or for a page of one.
func (c *client) page(ctx context.Context, d decoder, r *rest.Request) (*nodeList, error) {
	body, err := c.ask(ctx, r, c.timeout)
	if err == nil {
		defer body.Close()
		var l *nodeList
		if l, err = d.list(body); err == nil {
			return l, nil
		}
	}
	return nil, c.explain(ctx, "listing nodes", err)
}

// close drops the connections.
func (c *client) close() {
	c.dialer.CloseAll()
	if c.rest.Client != nil {
		c.rest.Client.CloseIdleConnections()
	}
}
