package api

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/weft-net/weft/internal/netstate"
)

// Paths of the local interface. A change that breaks a client gets a new
// version.
const (
	pathStatus = "/v1/status" // Status as JSON
	pathPlan   = "/v1/plan"   // netstate.Format's text
)

// failure is the body of every answer that is not a success.
type failure struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// Local answers the command line's questions about a, and has its keys shown and replaced;
// nil: it has none.
func Local(a Agent, keys Keys) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(pathStatus, getOnly(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, a.Status())
	}))
	mux.HandleFunc(pathPlan, getOnly(func(w http.ResponseWriter, _ *http.Request) {
		servePlan(w, a.Plan())
	}))
	mux.HandleFunc(pathEvents, getOnly(func(w http.ResponseWriter, r *http.Request) {
		serveEvents(w, r, a)
	}))
	mux.HandleFunc(pathPaths, servePaths(a))
	mux.HandleFunc(pathReady, ready(a)) // for the CNI plugin
	serveKeys(mux, keys)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusNotFound, failure{
			Error: "unknown path " + r.URL.Path,
			Hint:  "this agent serves " + pathStatus + ", " + pathPlan + ", " + pathPaths + ", " + pathEvents + ", " + pathKey + " and " + pathReady + "; the versions of agent and command may differ",
		})
	})
	return mux
}

func servePlan(w http.ResponseWriter, plan *netstate.State) {
	if plan == nil {
		writeJSON(w, http.StatusServiceUnavailable, failure{
			Error: "the agent has no plan yet",
			Hint:  "'weft status' shows what it is waiting for",
		})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_ = netstate.Format(w, plan) // fails only if the client is gone
}

func getOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeJSON(w, http.StatusMethodNotAllowed, failure{Error: r.Method + " is not supported on " + r.URL.Path})
			return
		}
		h(w, r)
	}
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body.Bytes()) // fails only if the client is gone
}
