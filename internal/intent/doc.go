// Package intent decides what a host is to do: which network state its kernel
// should have, which lease it should ask for, what it must remember. All of it
// is one pure step: a state and an event give the next state and what to do.
// The agent feeds it events and carries out its output; `weft plan` feeds it
// the same events and shows the output.
//
// It must not look at the system, a store or a clock, and it must not start
// anything. What takes time or can fail comes back to it as an event.
package intent
