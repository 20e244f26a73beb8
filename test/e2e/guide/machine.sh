# Makes a machine of a lab's host, for a guide's commands: what they write to
# usual paths stays in this mount namespace. Arguments: the repository, the
# directory of dockerd, the program weft, and the directory of the certificates.
set -eu
repository=$1 programs=$2 weft=$3 tls=$4

# shadow DIR: a directory of the machine's own, with links to what this computer
# has there.
shadow() {
	mkdir -p "/run/lower$1"
	mount --rbind "$1" "/run/lower$1"
	mount -t tmpfs tmpfs "$1"
	for entry in "/run/lower$1"/* "/run/lower$1"/.[!.]*; do
		[ -e "$entry" ] || [ -L "$entry" ] || continue
		ln -s "$entry" "$1/"
	done
}

# own DIR: an empty directory in place of such a link.
own() {
	rm -f "$1"
	mkdir -p "$1"
}

mount -t proc proc /proc
mount -t tmpfs tmpfs /run
shadow /etc
shadow /var/lib
shadow /usr/local/bin
mount -t tmpfs tmpfs /var/log
mkdir /run/home /var/log/supervisor
own /etc/docker
own /etc/weft
own /etc/supervisor
own /etc/systemd
own /var/lib/docker
own /var/lib/weft
own /var/lib/etcd
rm -f /etc/rc.local /usr/local/bin/weft /usr/local/bin/dockerd /usr/local/bin/systemctl

# What the guide takes for granted: etcd's certificates, weft's files, Docker.
cp "$tls/ca.crt" /etc/weft/ca.pem
cp "$tls/client.crt" /etc/weft/client.pem
cp "$tls/client.key" /etc/weft/client-key.pem
ln -s "$weft" /usr/local/bin/weft
ln -s "$programs/dockerd" /usr/local/bin/dockerd
ln -s "$repository/test/e2e/guide/systemctl" /usr/local/bin/systemctl
mkdir /etc/supervisor/conf.d /etc/systemd/system
cp /run/lower/etc/supervisor/supervisord.conf /etc/supervisor/
cp "$repository/packaging/systemd/weft.service" /etc/systemd/system/
printf '[Service]\nExecStart=/usr/local/bin/dockerd\n' >/etc/systemd/system/docker.service
mkdir /run/.config # where dockerd looks when it is rootless
ln -s /etc/docker /run/.config/docker

case $(hostname) in
h21) # has supervisord instead of systemd
	rm /usr/local/bin/systemctl /etc/systemd/system/*
	printf '[program:docker]\ncommand=/usr/local/bin/dockerd\nautostart=false\n' >/etc/supervisor/conf.d/docker.conf
	supervisord -c /etc/supervisor/supervisord.conf
	cp "$repository/packaging/supervisord/weft.ini" /etc/supervisor/conf.d/weft.conf
	;;
h12) # has a distribution's firewall
	iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
	iptables -A INPUT -i lo -j ACCEPT
	iptables -A INPUT -p icmp -j ACCEPT
	iptables -A INPUT -p tcp -m multiport --dports 22,2379,2380 -j ACCEPT
	iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited
	iptables -P FORWARD DROP
	iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited
	;;
esac
