# Starts this machine's member of the etcd that the guide takes for granted.
set -eu
address=$(ip -4 -o addr show eth0 | sed 's,.* inet \([^/]*\).*,\1,')
name=$(hostname)
setsid etcd --name "$name" --data-dir /var/lib/etcd --log-level warn \
	--listen-client-urls "https://$address:2379" --advertise-client-urls "https://$address:2379" \
	--listen-peer-urls "https://$address:2380" --initial-advertise-peer-urls "https://$address:2380" \
	--initial-cluster h12=https://10.4.7.12:2380,h21=https://10.4.7.21:2380,h22=https://10.4.7.22:2380 \
	--trusted-ca-file /etc/weft/ca.pem --cert-file /etc/weft/client.pem --key-file /etc/weft/client-key.pem --client-cert-auth \
	--peer-trusted-ca-file /etc/weft/ca.pem --peer-cert-file /etc/weft/client.pem --peer-key-file /etc/weft/client-key.pem \
	--peer-client-cert-auth </dev/null >/var/log/etcd.log 2>&1 &
