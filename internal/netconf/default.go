package netconf

// Default returns the document for a network that has none yet: a private
// /16, a /24 for each host, vxlan.
func Default() []byte {
	return []byte(`{
  "Network": "10.244.0.0/16",
  "Backend": {
    "Type": "vxlan"
  }
}
`)
}
