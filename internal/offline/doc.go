// Package offline does what commands need of an agent's reasoning while none
// runs: it computes the plan by the same steps as the agent, and removes what
// an agent made. Computing changes nothing: neither the store, nor the kernel,
// nor a file.
package offline
