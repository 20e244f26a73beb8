// Package page tries the page of 'weft ui' in a real browser: against a lab that
// is cut and mended, and against a made-up network of 10,000 hosts. It is a module
// of its own, so that what drives the browser is no part of weft, and it imports nothing of weft.
package page
