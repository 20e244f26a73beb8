package nft

// SetBuffers asks for buffers of that many bytes.
func (c *Conn) SetBuffers(size int) { c.conn.SetBuffers(size) }
