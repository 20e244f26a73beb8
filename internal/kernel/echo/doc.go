// Package echo sends ICMP echo requests and receives the replies: by the route
// that the kernel takes, or by a given device without one. It also sends UDP and
// TCP packets that are refused where they arrive intact, with a checksum or with
// one that is left to the hardware. It decides nothing
// about what is sent when, and opens no port.
package echo
