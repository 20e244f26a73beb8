// Package lease knows what a lease is, how flannel writes it down (key and
// JSON value), and which subnet a host gets. It is pure: it neither talks to
// a store nor asks what time it is.
package lease
