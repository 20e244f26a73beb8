// Package netstate is the vocabulary of weft: the Linux network objects a
// host should have, or has, as plain comparable values. It computes the
// difference of two states and reads and writes their text form. It is pure:
// it never looks at the system and never changes it.
package netstate
