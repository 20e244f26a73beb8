# Makes a clean Debian root in DIR, out of the essential packages of this machine and
# what they depend on, with dpkg's records of them. Nothing else is in it.
set -eu
dir=$(realpath "$1")
mkdir -p "$dir/usr/bin" "$dir/usr/sbin" "$dir/usr/lib" "$dir/usr/lib64" # where links like /bin lead

# The packages: the essential ones, and again and again what those need that there are.
packages=$(dpkg-query --show --showformat '${Essential} ${Package}\n' | sed -n 's/^yes //p' | sort)
while :; do
	# shellcheck disable=SC2086 # a list of words
	needed=$(dpkg-query --show --showformat '${Pre-Depends}, ${Depends}, ' $packages | tr ',|' '\n\n' | sed 's/^ *//; s/[ (:].*//; /^$/d')
	# shellcheck disable=SC2086
	more=$( (dpkg-query --show --showformat '${Package} ${Status}\n' $needed 2>/dev/null || true) | sed -n 's/ install ok installed$//p')
	more=$(printf '%s\n%s\n' "$packages" "$more" | sort -u)
	[ "$more" != "$packages" ] || break
	packages=$more
done

# Their files. Who owns them does not matter: in a user namespace there is one user.
# shellcheck disable=SC2086
dpkg-query --listfiles $packages | sed -n 's,^/,,p' | grep -v -e '^usr/share/doc/' -e '^usr/share/man/' -e '^usr/share/locale/' -e '^\.$' | sort -u |
	tar --create --directory / --no-recursion --ignore-failed-read --files-from - |
	tar --extract --no-same-owner --directory "$dir"

# dpkg's records of them.
cd /var/lib/dpkg/info
mkdir -p "$dir/var/lib/dpkg/info" "$dir/var/lib/dpkg/updates" "$dir/etc"
for p in $packages; do
	dpkg-query --status "$p"
	echo
done >"$dir/var/lib/dpkg/status"
cp /var/lib/dpkg/info/format "$dir/var/lib/dpkg/info/"
for p in $packages; do
	for record in "$p.list" "$p.md5sums" "$p:"*.list "$p:"*.md5sums; do
		if [ -e "$record" ]; then cp "$record" "$dir/var/lib/dpkg/info/"; fi
	done
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/etc/passwd"
echo 'root:x:0:' >"$dir/etc/group"
mkdir -p "$dir/proc" "$dir/dev" "$dir/sys" "$dir/run" "$dir/tmp" "$dir/root"
