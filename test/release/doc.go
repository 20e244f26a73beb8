// Package release holds the tests of what weft is distributed as: that two runs
// of the release program write the same bytes, that each form contains what it
// should, and that the .deb installs, upgrades and goes without a trace.
package release
