package lab

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// busyboxImage is the image that RunContainer uses, see ImportImage.
const busyboxImage = "busybox"

// Container is a container of a host's real Docker. It serves HTTP on port 80: a request for
// ClientPath is answered with the client's address.
type Container struct {
	Host *Host
	Name string
	Addr netip.Addr
}

// ClientPath is the page with the client's address.
const ClientPath = "/cgi-bin/client"

// RunContainer starts a container with Docker, which must assign an address. It restarts with
// dockerd.
func (h *Host) RunContainer(ctx context.Context, name string) (*Container, error) {
	_, err := h.Run(ctx, "docker", "run", "--detach", "--restart=always", "--stop-signal=KILL",
		"--name", name, busyboxImage, "httpd", "-f", "-p", "80", "-h", "/www")
	if err != nil {
		return nil, err
	}
	out, err := h.Run(ctx, "docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
	if err != nil {
		return nil, err
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(out))
	if err != nil {
		return nil, fmt.Errorf("%s: the address of container %s: %w", h.Name, name, err)
	}
	return &Container{Host: h, Name: name, Addr: addr}, nil
}

// Exec runs a program in the container and returns what it printed.
func (c *Container) Exec(ctx context.Context, args ...string) (string, error) {
	return c.Host.Run(ctx, append([]string{"docker", "exec", c.Name}, args...)...)
}

// SeenBy asks server, a container or anything else that serves ClientPath, from the container, and
// returns the address that server sees.
func (c *Container) SeenBy(ctx context.Context, server netip.Addr) (netip.Addr, error) {
	url := "http://" + netip.AddrPortFrom(server, 80).String() + ClientPath
	// Debian's busybox 1.35 crashes on wget's own limit, -T.
	out, err := c.Exec(ctx, "timeout", "2", "wget", "-q", "-O", "-", url)
	if err != nil {
		return netip.Addr{}, err
	}
	// busybox writes IPv4 clients of its dual-stack socket as ::ffff:192.0.2.1, also in brackets.
	text := strings.Trim(strings.TrimSpace(out), "[]")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("the answer of %s: %w", url, err)
	}
	return addr.Unmap(), nil
}

var pingSummary = regexp.MustCompile(`(\d+) packets transmitted, (\d+) packets received`)

// Travel pings another container count times while it listens on the sender's uplink. Packets with
// other addresses than the containers' own are not counted.
func (c *Container) Travel(ctx context.Context, to *Container, count int) (trip Trip, err error) {
	tap, err := c.Host.Tap(Uplink)
	if err != nil {
		return Trip{}, err
	}
	defer func() {
		if closeErr := tap.Close(); err == nil {
			err = closeErr
		}
	}()
	out, err := c.Exec(ctx, "ping", "-A", "-W", "2", "-c", strconv.Itoa(count), to.Addr.String())
	if err != nil {
		return Trip{}, err
	}
	sums := pingSummary.FindStringSubmatch(out)
	if sums == nil {
		return Trip{}, fmt.Errorf("%s: ping printed:\n%s", c, out)
	}
	trip.local = c.Host == to.Host
	trip.Sent, _ = strconv.Atoi(sums[1]) // digits, says the pattern
	trip.Received, _ = strconv.Atoi(sums[2])
	frames, err := tap.Frames(VXLANPorts...)
	if err != nil {
		return trip, err
	}
	trip.Direct, trip.VXLAN, trip.IPIP = countRequests(frames, c.Addr, to.Addr)
	return trip, nil
}

// String names the container with its address.
func (c *Container) String() string { return fmt.Sprintf("%s (%s)", c.Name, c.Addr) }
