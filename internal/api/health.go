package api

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health answers machines: /healthz with 200 while the process lives, /readyz
// with 200 only while a.Ready() is nil and else 503 and the reason, /metrics
// for Prometheus.
func Health(a Agent) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		&metrics{agent: a},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", getOnly(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "weft is running")
	}))
	mux.HandleFunc(pathReady, ready(a))
	return mux
}

// pathReady is where both servers say whether the agent is ready.
const pathReady = "/readyz"

func ready(a Agent) http.HandlerFunc {
	return getOnly(func(w http.ResponseWriter, _ *http.Request) {
		if err := a.Ready(); err != nil {
			http.Error(w, "weft is not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "weft is ready")
	})
}
