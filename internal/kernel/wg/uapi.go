package wg

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// patience is how long a process in user space may take for an answer.
const patience = 10 * time.Second

// ReadUser returns the settings of the device whose process listens on socket.
func ReadUser(socket string) (*wgtypes.Device, error) {
	text, err := ask(socket, "get=1\n\n")
	if err != nil {
		return nil, err
	}
	return parse(text)
}

// WriteUser changes the settings of the device whose process listens on socket.
func WriteUser(socket string, change wgtypes.Config) error {
	_, err := ask(socket, "set=1\n"+format(change)+"\n")
	return err
}

// ask sends a request and returns the lines of the answer.
func ask(socket, request string) ([]string, error) {
	conn, err := net.DialTimeout("unix", socket, patience)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("reach the WireGuard process: %w", err)
	}
	defer func() { _ = conn.Close() }() // all has been read
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, fmt.Errorf("ask the WireGuard process: %w", err)
	}
	var lines []string
	for scan := bufio.NewScanner(conn); scan.Scan(); {
		if code, done := strings.CutPrefix(scan.Text(), "errno="); done {
			if code == "0" {
				return lines, nil
			}
			number, _ := strconv.Atoi(code)
			return nil, fmt.Errorf("the WireGuard process refuses: %w", errnoOf(number))
		}
		lines = append(lines, scan.Text())
	}
	return nil, errors.New("the WireGuard process gave half an answer")
}

// errnoOf returns the error of a number, negative as WireGuard writes it.
func errnoOf(number int) error {
	if number < 0 {
		number = -number
	}
	return syscall.Errno(number)
}

// format writes a change as lines of the protocol.
func format(c wgtypes.Config) string {
	var b strings.Builder
	set := func(key string, value any) { fmt.Fprintf(&b, "%s=%v\n", key, value) }
	if c.PrivateKey != nil {
		set("private_key", hex.EncodeToString(c.PrivateKey[:]))
	}
	if c.ListenPort != nil {
		set("listen_port", *c.ListenPort)
	}
	for _, p := range c.Peers {
		set("public_key", hex.EncodeToString(p.PublicKey[:]))
		if p.Remove {
			set("remove", true)
			continue
		}
		if p.UpdateOnly {
			set("update_only", true)
		}
		if p.PresharedKey != nil {
			set("preshared_key", hex.EncodeToString(p.PresharedKey[:]))
		}
		if p.Endpoint != nil {
			set("endpoint", p.Endpoint)
		}
		if p.PersistentKeepaliveInterval != nil {
			set("persistent_keepalive_interval", int(p.PersistentKeepaliveInterval.Seconds()))
		}
		if p.ReplaceAllowedIPs {
			set("replace_allowed_ips", true)
		}
		for _, a := range p.AllowedIPs {
			set("allowed_ip", &a)
		}
	}
	return b.String()
}

// parse reads the lines of a device. Unknown keys are passed over.
func parse(lines []string) (*wgtypes.Device, error) {
	d := &wgtypes.Device{}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		if err := parseLine(d, key, value); err != nil {
			return nil, fmt.Errorf("the WireGuard process says %s= and no such value", key)
		}
	}
	return d, nil
}

func parseLine(d *wgtypes.Device, key, value string) (err error) {
	switch key {
	case "private_key":
		err = parseKey(value, &d.PrivateKey)
		d.PublicKey = d.PrivateKey.PublicKey()
		return err
	case "listen_port":
		d.ListenPort, err = strconv.Atoi(value)
		return err
	case "public_key":
		d.Peers = append(d.Peers, wgtypes.Peer{})
		return parseKey(value, &d.Peers[len(d.Peers)-1].PublicKey)
	}
	if len(d.Peers) == 0 {
		return nil
	}
	return parsePeerLine(&d.Peers[len(d.Peers)-1], key, value)
}

func parsePeerLine(p *wgtypes.Peer, key, value string) (err error) {
	var number int64
	switch key {
	case "preshared_key":
		return parseKey(value, &p.PresharedKey)
	case "endpoint":
		end, err := netip.ParseAddrPort(value)
		p.Endpoint = net.UDPAddrFromAddrPort(end)
		return err
	case "last_handshake_time_sec":
		number, err = strconv.ParseInt(value, 10, 64)
		if number > 0 {
			p.LastHandshakeTime = time.Unix(number, 0)
		}
	case "rx_bytes":
		p.ReceiveBytes, err = strconv.ParseInt(value, 10, 64)
	case "tx_bytes":
		p.TransmitBytes, err = strconv.ParseInt(value, 10, 64)
	case "persistent_keepalive_interval":
		number, err = strconv.ParseInt(value, 10, 64)
		p.PersistentKeepaliveInterval = time.Duration(number) * time.Second
	case "allowed_ip":
		_, prefix, err := net.ParseCIDR(value)
		if err != nil {
			return err
		}
		p.AllowedIPs = append(p.AllowedIPs, *prefix)
	}
	return err
}

func parseKey(value string, k *wgtypes.Key) error {
	raw, err := hex.DecodeString(value)
	if err != nil || len(raw) != len(k) {
		return errors.New("not a key")
	}
	copy(k[:], raw)
	return nil
}
