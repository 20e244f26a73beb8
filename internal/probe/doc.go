// Package probe decides which echo requests a host sends to find out what its
// paths to peers are worth, and judges by the answers: whether a path passes,
// how large packets may be, how long a round trip takes, and whether packets
// arrive whose checksum is left to the hardware. An Engine is told what was
// answered and when, and says what to send next. The package must not open sockets
// and knows no clock: every time is an argument.
package probe
