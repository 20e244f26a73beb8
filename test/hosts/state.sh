# Prints the state of the host's network, a line an object.
ip -o -d link show
ip -o address show
for family in -4 -6; do
	ip $family route show table all
	ip $family rule show
done
ip nexthop show
ip neighbour show nud permanent
nft --stateless list ruleset
iptables-legacy-save 2>/dev/null | grep '^-A'
cd /proc/sys/net
grep -r . bridge core ipv4 ipv6 netfilter 2>/dev/null | grep -v -e nf_conntrack_count -e fib_multipath_hash_seed -e stable_secret | sort
