package api

import (
	"context"
	"net/http"
)

// PathCheck is where an agent answers those of other hosts with what its checks
// have found.
const PathCheck = "/v1/check"

// Remote answers what agents of other hosts may ask of a: nothing that changes
// anything, and nothing secret. check returns the document for PathCheck; nil: there
// is none.
func Remote(a Agent, check func(context.Context) any) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(pathStatus, getOnly(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, a.Status())
	}))
	mux.HandleFunc(pathPaths, servePaths(a))
	if check != nil {
		mux.HandleFunc(PathCheck, getOnly(func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, http.StatusOK, check(r.Context()))
		}))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusNotFound, failure{
			Error: "unknown path " + r.URL.Path,
			Hint:  "agents of other hosts are answered at " + pathStatus + ", " + pathPaths + " and " + PathCheck,
		})
	})
	return mux
}

// Busy answers in place of a handler that has too much to do.
func Busy(w http.ResponseWriter) {
	writeJSON(w, http.StatusTooManyRequests, failure{Error: "this agent is asked too often", Hint: "try again in a few seconds"})
}
