package cni

// Codes of errors that the spec leaves to plugins (100 and above).
const (
	ErrAttached uint = 100 // ADD of an attachment that exists
	ErrChanged  uint = 101 // CHECK found a difference to what ADD made
)
