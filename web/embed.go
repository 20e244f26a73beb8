// Package web holds the page that 'weft ui' serves, as its build made it of the
// sources beside ('make page'). Only package page imports it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed dist
var dist embed.FS

// Files are the page's files, index.html among them.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the directory is a part of the program
	}
	return files
}
