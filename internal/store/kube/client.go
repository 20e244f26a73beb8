package kube

import (
	"context"
	"errors"
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

// Limits on the requests of one agent to the API server. At rest there are
// only its watches; the limits are for when something flaps.
const (
	requestsPerSecond = 10
	requestsAtOnce    = 20
)

// client sends requests to the API server. client-go reads the credentials and
// makes the connection; its typed clients and informers are not used, as they
// would slow down every start of the program more than everything else.
type client struct {
	rest    *rest.RESTClient
	url     string
	dialer  *connrotation.Dialer
	counts  counts
	timeout time.Duration
}

// newScheme returns a scheme for the one kind of object that client-go itself
// reads: the Status with which the API server refuses a request.
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
		return nil, errors.New("no Kubernetes API server is configured: this process does not run in a pod, and there is no kubeconfig; set --kubeconfig-file or --kube-api-url")
	case o.Kubeconfig != "":
		return nil, fmt.Errorf("kubeconfig %s: %w", o.Kubeconfig, err)
	}
	return nil, fmt.Errorf("connection to Kubernetes: %w", err)
}

// raw sends one request and returns the whole response.
func (c *client) raw(ctx context.Context, what string, r *rest.Request) ([]byte, error) {
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	doc, err := r.MaxRetries(retries).Do(within).Raw()
	if err != nil {
		return nil, c.explain(ctx, what, err)
	}
	return doc, nil
}

// retries is how often client-go repeats a request when the response says
// Retry-After.
const retries = 3

// nodes is a request for the nodes that o selects; if name is set, for that one.
func (c *client) nodes(name string, o metav1.ListOptions) *rest.Request {
	if name != "" {
		o.FieldSelector = "metadata.name=" + name
	}
	return c.rest.Get().Resource("nodes").VersionedParams(&o, metav1.ParameterCodec)
}

// page sends r, for a list of nodes or a page of one.
func (c *client) page(ctx context.Context, d decoder, r *rest.Request) (*nodeList, error) {
	body, err := c.stream(ctx, r, c.timeout)
	if err == nil {
		defer body.Close()
		var l *nodeList
		if l, err = d.list(body); err == nil {
			return l, nil
		}
	}
	return nil, c.explain(ctx, "listing nodes", err)
}

// close closes the connections.
func (c *client) close() {
	c.dialer.CloseAll()
	if c.rest.Client != nil {
		c.rest.Client.CloseIdleConnections()
	}
}
