package hostlock

// AsUser makes h take another user than its own for the one that it runs as.
func (h *Holder) AsUser(uid int) { h.uid = uid }

// Directory is where h's file is.
func (h *Holder) Directory() string { return h.path() }

// File is the name of h's file.
func (h *Holder) File() string { return h.path() + "/" + h.name }
