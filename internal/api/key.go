package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	pathKey    = "/v1/key"        // Key as JSON
	pathRotate = "/v1/key/rotate" // POST; Key as JSON, when it is done or after rotateWait
	olderThan  = "older-than"     // its parameter

	rotateWait = 20 * time.Second // less than writeTimeout
)

// Key is this host's key for WireGuard, by what can be shown of it.
type Key struct {
	PublicKey string    `json:"publicKey"`      // in base64
	Made      time.Time `json:"made,omitzero"`  // when the private key was made, if that is known
	Next      string    `json:"next,omitempty"` // the public key that is taking its place
	Rotated   bool      `json:"rotated"`        // whether this request has replaced the key, or has waited until it was
}

// Keys is what the interface needs to show and to replace the key. All methods are safe for
// concurrent use.
type Keys interface {
	Key() (Key, error)
	// Rotate replaces the key if it is older than that, and returns when that is done or ctx
	// ends; then Key.Next says what is under way.
	Rotate(ctx context.Context, olderThan time.Duration) (Key, error)
}

func serveKeys(mux *http.ServeMux, keys Keys) {
	if keys == nil {
		return
	}
	mux.HandleFunc(pathKey, getOnly(func(w http.ResponseWriter, _ *http.Request) {
		k, err := keys.Key()
		writeKey(w, k, err)
	}))
	mux.HandleFunc("POST "+pathRotate, func(w http.ResponseWriter, r *http.Request) {
		age, err := time.ParseDuration(r.URL.Query().Get(olderThan))
		if err != nil {
			writeJSON(w, http.StatusBadRequest, failure{Error: fmt.Sprintf("%s is not a duration", olderThan)})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), rotateWait)
		defer cancel()
		k, err := keys.Rotate(ctx, age)
		writeKey(w, k, err)
	})
}

func writeKey(w http.ResponseWriter, k Key, err error) {
	if err != nil {
		writeJSON(w, http.StatusServiceUnavailable, failure{Error: err.Error(), Hint: "see the agent's log and 'weft status'"})
		return
	}
	writeJSON(w, http.StatusOK, k)
}

// Key asks the agent for its key.
func (c *Client) Key(ctx context.Context) (k Key, err error) {
	err = c.Document(ctx, pathKey, &k)
	return k, err
}

// RotateKey has the agent replace its key if it is older than that. It may return while that
// is under way: then Next is set, and asking again waits for it.
func (c *Client) RotateKey(ctx context.Context, age time.Duration) (k Key, err error) {
	path := pathRotate + "?" + url.Values{olderThan: {age.String()}}.Encode()
	err = c.ask(ctx, http.MethodPost, path, func(body io.Reader) error { return json.NewDecoder(body).Decode(&k) })
	return k, err
}
