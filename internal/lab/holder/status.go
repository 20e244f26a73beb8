package holder

import "github.com/weft-net/weft/internal/lab"

func statusOf(l *lab.Lab) *Status {
	status := &Status{Segments: l.SegmentNames(), Cut: l.IsCut(), Unsummed: l.Unsummed()}
	for _, name := range l.HostNames() {
		host, err := l.Host(name)
		if err != nil {
			continue // HostNames names only hosts that there are.
		}
		status.Hosts = append(status.Hosts, hostStatus(host))
	}
	return status
}

func hostStatus(h *lab.Host) HostStatus {
	out := HostStatus{Name: h.Name, Segment: h.Segment(), Agent: "none"}
	for _, a := range h.Addrs {
		out.Addrs = append(out.Addrs, a.Addr().String())
	}
	if subnet, err := h.Subnet(); err == nil {
		for _, g := range subnet.Gateways {
			out.Subnets = append(out.Subnets, g.Masked().String())
		}
	}
	for _, p := range h.Pods() {
		out.Pods = append(out.Pods, p.String())
	}
	for _, agent := range h.Agents() {
		out.Agent = "ended"
		if agent.Running() {
			out.Agent = "running"
		}
	}
	return out
}
