// Package xtables is the part of package kernel for hosts whose iptables is
// not iptables-nft: the kernel's x_tables, where only the iptables-legacy
// program can put a rule. It is the one package that runs a program, and it
// does so only where such a table is in use.
//
// Of these tables it touches rules that carry our comment and what flanneld
// left, nothing else. The kernel does not tell when they change.
package xtables
