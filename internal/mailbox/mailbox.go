// Package mailbox passes the newest value from one goroutine to another. What
// the receiver has not received yet when a newer value comes is of no use to
// it any more. It must not be used for what has to arrive in full.
package mailbox

// Mailbox holds at most one value, the newest. Receive from it as from any
// channel. It has one sender.
type Mailbox[T any] chan T

// New returns an empty mailbox.
func New[T any]() Mailbox[T] { return make(chan T, 1) }

// Put makes v the value to be received, in place of one that waits. It never
// blocks.
func (m Mailbox[T]) Put(v T) {
	select {
	case <-m:
	default:
	}
	m <- v
}
