package api

import (
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics chooses what /metrics answers to clients that do not come over the
// loopback device. Those that do are on the host, and get everything.
type Metrics string

// The values of Metrics. The health port is open to the network, without
// authentication, and collecting metrics costs the agent CPU time.
const (
	MetricsLocal Metrics = "local" // nothing
	MetricsWeft  Metrics = "weft"  // weft's own
	MetricsAll   Metrics = "all"   // and those of the process and the Go runtime
)

// maxScrapes is how many clients are answered with metrics at a time.
const maxScrapes = 4

// Health answers machines: /healthz with 200 while the process lives, /readyz
// with 200 only while a.Ready() is nil and else 503, /metrics for Prometheus.
// Clients on the host are also told why the agent is not ready, or degraded.
func Health(a Agent, m Metrics) http.Handler {
	own := prometheus.NewRegistry()
	own.MustRegister(&metrics{agent: a})
	process := prometheus.NewRegistry()
	process.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	handlers := map[Metrics]http.Handler{
		MetricsLocal: http.HandlerFunc(refuseMetrics),
		MetricsWeft:  metricsOf(own),
		MetricsAll:   metricsOf(prometheus.Gatherers{own, process}),
	}
	remote, known := handlers[m]
	if !known {
		remote = handlers[MetricsLocal]
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", getOnly(func(w http.ResponseWriter, r *http.Request) {
		if onHost(r) {
			handlers[MetricsAll].ServeHTTP(w, r)
			return
		}
		remote.ServeHTTP(w, r)
	}))
	mux.HandleFunc("/healthz", getOnly(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "weft is running")
	}))
	mux.HandleFunc(pathReady, ready(a))
	return mux
}

func metricsOf(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: writeTimeout})
}

func refuseMetrics(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "metrics are served to clients on this host only; --metrics=weft serves them to others", http.StatusForbidden)
}

// onHost reports whether a request came over the loopback device or the unix
// socket.
func onHost(r *http.Request) bool {
	switch local := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		return local.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// degraded says to a client on the host for what problem packets can be lost, ""
// if for none that is known.
func degraded(a Agent, r *http.Request) string {
	if warning := a.Warning(); warning != "" && onHost(r) {
		return ", but degraded: " + warning
	}
	return ""
}

// pathReady is where both servers say whether the agent is ready.
const pathReady = "/readyz"

func ready(a Agent) http.HandlerFunc {
	return getOnly(func(w http.ResponseWriter, r *http.Request) {
		err := a.Ready()
		switch {
		case err == nil:
			fmt.Fprintln(w, "weft is ready"+degraded(a, r))
		case onHost(r):
			http.Error(w, "weft is not ready: "+err.Error(), http.StatusServiceUnavailable)
		default:
			http.Error(w, "weft is not ready; 'weft status' on the host says why", http.StatusServiceUnavailable)
		}
	})
}
