// Package echo sends ICMP echo requests and receives the replies: by the route
// that the kernel takes, or by a given device without one. It decides nothing
// about what is sent when, and opens no port.
package echo
