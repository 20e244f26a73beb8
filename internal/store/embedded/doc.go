// Package embedded runs a real etcd server inside this process, so that one
// host works with nothing else installed, and a lab has a store to serve its
// hosts. It starts, stops and secures the server; what is stored in it is
// package etcd's business. It is a cluster of one: no peer traffic leaves it.
package embedded
