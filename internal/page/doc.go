// Package page serves the page of 'weft ui': the fabric as a picture, live, to
// a browser on this machine. It shows what agents answer and what weft's own
// commands print; it knows nothing that they do not, and changes nothing, except
// that a lab can be cut and mended.
package page
