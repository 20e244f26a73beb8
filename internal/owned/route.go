package owned

// Protocols of routes (RTA_PROTOCOL), by which the kernel knows who made one.
const (
	// RouteProtocol marks weft's routes and nexthop objects, and its neighbours
	// where the kernel has that. It is not assigned in linux/rtnetlink.h or in
	// iproute2's rt_protos. A route is an agent's if it leads into one of its
	// networks as well.
	RouteProtocol = 119

	// PodProtocol marks the routes to the pods of this host, one for each
	// address, that the CNI plugin makes. They are foreign to the agent; it must
	// not remove them. It is not assigned either.
	PodProtocol = 118

	// FlannelProtocol is RTPROT_BOOT, which flanneld's routes have, and those of
	// whoever said nothing else. Such a route into a network is the agent's if it
	// stands on a device that is.
	FlannelProtocol = 3
)
