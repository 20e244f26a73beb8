package agent

// latest is a mailbox of one value: a newer one takes the place of one that
// nobody has taken yet. It has one sender.
type latest[T any] chan T

func newLatest[T any]() latest[T] { return make(chan T, 1) }

func (l latest[T]) put(v T) {
	select {
	case <-l:
	default:
	}
	l <- v
}
