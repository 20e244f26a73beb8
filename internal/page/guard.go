package page

import (
	"net"
	"net/http"
	"net/netip"
)

// policy lets a page load nothing but this server's own files, and be part of
// no other page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guarded sets the headers of every answer, and refuses requests that came by
// another name than this machine's loopback (a name that somebody else has
// pointed here), or that another page has made.
func guarded(next http.Handler) http.Handler {
	own := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !isLoopback(r.Host) {
			refuse(w, http.StatusMisdirectedRequest, "this page is served as 127.0.0.1, [::1] and localhost alone")
			return
		}
		own.ServeHTTP(w, r)
	})
}

// isLoopback reports whether a Host header names this machine to itself, at any
// port: a forwarded one is another.
func isLoopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if name == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(name)
	if err != nil && len(name) > 2 && name[0] == '[' {
		a, err = netip.ParseAddr(name[1 : len(name)-1])
	}
	return err == nil && a.IsLoopback()
}
