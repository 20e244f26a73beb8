package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"sync"
)

// door lets in who has shown the token. The token can be shown once; the
// session that it begins is a cookie that scripts cannot read, and ends with the server.
type door struct {
	mu       sync.Mutex
	token    string                     // "": shown
	sessions map[[sha256.Size]byte]bool // by the hash of the cookie's value
	cookie   string                     // its name; cookies do not tell ports apart
	used     func()                     // called when the token was shown
}

func newDoor(cookie string) *door {
	return &door{token: rand.Text(), cookie: cookie, sessions: map[[sha256.Size]byte]bool{}, used: func() {}}
}

// enter exchanges the token for a session.
func (d *door) enter(w http.ResponseWriter, r *http.Request) {
	var shown struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&shown); err != nil || !d.spend(shown.Token) {
		refuse(w, http.StatusForbidden, "this link was used before, or is of another run; start 'weft ui' again for a new one")
		return
	}
	id := rand.Text()
	d.mu.Lock()
	d.sessions[sha256.Sum256([]byte(id))] = true
	used := d.used
	d.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: d.cookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	w.WriteHeader(http.StatusNoContent)
	used()
}

func (d *door) spend(token string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.token == "" || subtle.ConstantTimeCompare([]byte(d.token), []byte(token)) != 1 {
		return false
	}
	d.token = ""
	return true
}

// renew makes another token, for another browser.
func (d *door) renew() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.token = rand.Text()
	return d.token
}

// inside passes requests of sessions on.
func (d *door) inside(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(d.cookie)
		if err == nil {
			d.mu.Lock()
			known := d.sessions[sha256.Sum256([]byte(c.Value))]
			d.mu.Unlock()
			if known {
				next(w, r)
				return
			}
		}
		refuse(w, http.StatusUnauthorized, "open the page with the link that 'weft ui' prints")
	}
}

func refuse(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message}) // fails only if the client is gone
}
