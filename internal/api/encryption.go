package api

// Encryption is how far packets to peers are encrypted.
type Encryption struct {
	Encrypted int     `json:"encryptedPeers"`    // peers to which all packets travel encrypted
	Peers     int     `json:"peers"`             // all of them
	By        By      `json:"implementation"`    // what encrypts on this host
	Strict    bool    `json:"strict"`            // nothing may travel in clear
	Refused   *uint64 `json:"refused,omitempty"` // packets that were not sent, since they would have travelled in clear; nil: not Strict, or unknown
}

// By is an implementation of WireGuard.
type By string

// The implementations.
const (
	ByKernel    By = "kernel"
	ByUserSpace By = "userSpace" // a process: about an eighth of the throughput of vxlan
)
