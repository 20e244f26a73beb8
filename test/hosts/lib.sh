# What the scripts of this directory may use. $host, $dir, $files, $addr4, $addr6, $net4, $net6, $gw4 and $gw6 are set.
export LC_ALL=C.UTF-8 DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket
PATH=$PATH:/usr/sbin:/sbin

# daemon NAME COMMAND...: starts a program that keeps running; it prints to $dir/NAME.log
daemon() {
	daemon_log=$dir/$1.log
	shift
	"$@" >"$daemon_log" 2>&1 </dev/null &
}

# await COMMAND...: until it succeeds
await() {
	await_tries=0
	until "$@" >/dev/null 2>&1; do
		await_tries=$((await_tries + 1))
		if [ $await_tries -gt 300 ]; then
			echo "not within 15 seconds: $*"
			tail -n 20 "$dir"/*.log
			exit 1
		fi
		sleep 0.05
	done
}

# bare: eth0 as it is before a program of the distribution sets it up
bare() {
	ip -4 address flush dev eth0
	ip -6 address flush dev eth0 scope global
	ip link set eth0 down
}

# bus: a D-Bus system bus of the host's own
bus() {
	mkdir -p /run/dbus
	cat >/run/dbus/bus.conf <<-EOT
		<busconfig>
		<type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
		</busconfig>
	EOT
	dbus-daemon --config-file=/run/dbus/bus.conf --fork
}

# readonly_sys: /sys as in a container, by which programs know that there is no udev
readonly_sys() {
	mount -t sysfs sysfs /sys
	mount -o remount,bind,ro /sys
}

# device NAME KIND LOWER [ARG...]: a device of that kind on LOWER; where the kernel does not have the kind, a
# bridge with LOWER as its port (for a bond), or a macvlan on it (for a VLAN).
device() {
	device_name=$1 device_kind=$2 device_lower=$3
	shift 3
	case $device_kind in
	bond) ip link add name $device_name type bond "$@" 2>/dev/null || ip link add name $device_name type bridge ;;
	vlan) ip link add link $device_lower name $device_name type vlan "$@" 2>/dev/null || ip link add link $device_lower name $device_name type macvlan ;;
	esac
}

# move_uplink DEV: the host's addresses and default routes are on DEV in place of eth0
move_uplink() {
	ip address flush dev eth0 scope global
	ip -6 route flush default
	ip address add $addr4/24 dev $1
	ip address add $addr6/64 dev $1 nodad
	ip route add default via $gw4 dev $1
	ip -6 route add default via $gw6 dev $1
}

# mac DEV: prints its hardware address; /sys shows another network namespace's devices
mac() { ip -o link show dev $1 | sed 's,.*link/ether \([^ ]*\).*,\1,'; }

# ended PID: succeeds once the process has ended
ended() { ! kill -0 $1; }

# networkd_user: lets systemd-networkd find its user to be the only one that there is in a user namespace
networkd_user() {
	sed 's/^systemd-network:x:[0-9]*:[0-9]*/systemd-network:x:0:0/' /etc/passwd >/run/passwd
	grep -q ^systemd-network: /run/passwd || echo systemd-network:x:0:0::/run:/bin/false >>/run/passwd
	mount --bind /run/passwd /etc/passwd
}

# networkd: starts it and waits until eth0 is set up
networkd() {
	mkdir -p /run/systemd/netif
	daemon networkd /lib/systemd/systemd-networkd
	echo $! >/run/networkd.pid
	await sh -c 'ip route show default | grep -q eth0'
	await sh -c 'ip -6 route show default | grep -q eth0'
	await sh -c 'grep -q ADMIN_STATE=configured /run/systemd/netif/links/*'
}

# keepalived_start: with /run/keepalived.conf, until it has its virtual addresses
keepalived_start() {
	keepalived --log-console --use-file /run/keepalived.conf --pid /run/keepalived.pid --vrrp_pid /run/keepalived-vrrp.pid \
		--vrrp --dont-fork >"$dir/keepalived.log" 2>&1 </dev/null &
	await sh -c 'ip address show eth0 | grep -q 10.4.7.101'
	await sh -c 'ip address show eth0 | grep -q fd04:7::101'
}

# firewalld_start BACKEND: starts firewalld with eth0 in its zone public
firewalld_start() {
	bus
	mkdir -p /run/firewalld
	for name in helpers icmptypes ipsets policies services zones; do mkdir -p /run/firewalld/$name; done
	printf 'DefaultZone=public\nFirewallBackend=%s\nIPv6_rpfilter=yes\n' $1 >/run/firewalld/firewalld.conf
	cat >/run/firewalld/zones/public.xml <<-EOT
		<?xml version="1.0" encoding="utf-8"?>
		<zone><short>Public</short><interface name="eth0"/><service name="ssh"/><service name="dhcpv6-client"/><forward/></zone>
	EOT
	daemon firewalld firewalld --nofork --nopid --system-config /run/firewalld --log-file "$dir/firewalld.log2"
	await dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner string:org.fedoraproject.FirewallD1
	firewall-cmd --state
}

# ufw_files: what ufw reads and writes, as its package has it, in place of /etc/ufw and /etc/default
ufw_files() {
	mkdir -p /run/ufw/etc /run/ufw/default
	cp /usr/share/ufw/ufw.conf /usr/share/ufw/iptables/*.rules /run/ufw/etc/ 2>/dev/null || true
	find /usr/share/ufw /etc/ufw -maxdepth 2 -name '*.rules' -exec cp -n {} /run/ufw/etc/ \; 2>/dev/null || true
	: >/run/ufw/etc/sysctl.conf
	mkdir -p /run/ufw/etc/applications.d
	mount --bind /run/ufw/etc /etc/ufw
	cat >/run/ufw/default/ufw <<-EOT
		IPV6=yes
		DEFAULT_INPUT_POLICY="DROP"
		DEFAULT_OUTPUT_POLICY="ACCEPT"
		DEFAULT_FORWARD_POLICY="DROP"
		DEFAULT_APPLICATION_POLICY="SKIP"
		MANAGE_BUILTINS=no
		IPT_SYSCTL=/etc/ufw/sysctl.conf
		IPT_MODULES=""
	EOT
	mount --bind /run/ufw/default /etc/default
}

# docker_start: Debian's dockerd as rootless Docker runs it, until it serves; $dir/docker.pid is its process
docker_start() {
	mkdir -p $dir/docker
	echo '{}' >$dir/docker/daemon.json
	daemon dockerd unshare --mount --pid --fork --kill-child --mount-proc \
		sh -c 'mount -t tmpfs tmpfs /run; exec "$0" "$@"' $dir/docker/dockerd --config-file $dir/docker/daemon.json \
		--data-root $dir/docker/data --exec-root $dir/docker/exec --pidfile $dir/docker/pid --host unix://$dir/docker/sock
	docker_parent=$!
	await docker version
	pgrep -P $docker_parent >$dir/docker.pid
}
