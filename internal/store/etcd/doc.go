// Package etcd keeps a network's config and leases in etcd v3 (3.4 and later)
// under flannel's keys and values, byte for byte, and weft's own records
// beside them under <prefix>/weft/, where flanneld never looks.
//
// It decides nothing: which subnet a host gets is lease.Choose, what a key or
// value means is package view and package lease. Every write is a
// compare-and-swap on what was read. No etcd type leaves the package.
package etcd
