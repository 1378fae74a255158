#!/bin/sh
# Installs the Debian packages that are missing: for "run", or for "test" too.
# Silent when nothing is missing. As root, or through sudo if it asks for no
# password; otherwise says what to type.
set -eu
PATH="$PATH:/usr/sbin:/sbin"

missing=
need() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null || missing="$missing $2"
}
need qemu-system-x86_64 qemu-system-x86
need mkfs.ext4 e2fsprogs
need dpkg-deb dpkg
test -e /etc/ssl/certs/ca-certificates.crt || missing="$missing ca-certificates"
if [ "${1:-run}" = test ]; then
	need curl curl
	need nginx nginx-light
	need wget wget
	need ab apache2-utils
	need apache2 apache2-bin
	need node nodejs
	need vsftpd vsftpd
	need lftp lftp
	need exim4 exim4-daemon-light
	need swaks swaks
	need mosquitto mosquitto
	need mosquitto_pub mosquitto-clients
	need redis-server redis-server
	need redis-cli redis-tools
	need memcached memcached
	need memccp libmemcached-tools
	need chromium chromium
	need ip iproute2
	need unshare util-linux
	need npm npm
	need dig bind9-dnsutils
	need dnsmasq dnsmasq-base
	need openssl openssl
	need ssh openssh-client
	need in.tftpd tftpd-hpa
	need atftp atftp
	need qemu-img qemu-utils
	need sgdisk gdisk
	need fsck.vfat dosfstools
	need sbverify sbsigntool
	need swtpm swtpm
	need openssl openssl
	test -e /usr/share/OVMF/OVMF_CODE_4M.fd || missing="$missing ovmf"
fi
command -v go >/dev/null || {
	echo "setup: Go is missing; install it from https://go.dev/dl/ (1.21 or later: it fetches the version it needs)" >&2
	exit 1
}
[ -n "$missing" ] || exit 0

echo "setup: installing Debian packages:$missing"
if [ "$(id -u)" = 0 ]; then
	root=
elif sudo -n true 2>/dev/null; then
	root="sudo -n"
else
	echo "setup: that needs root; run this, then make again:" >&2
	echo "    sudo apt-get update && sudo apt-get install --no-install-recommends -y$missing" >&2
	exit 1
fi

# What is installed must not start by itself (nginx would take port 80).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap '$root rm -f "$policy"' EXIT
	trap 'exit 1' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
	$root chmod 755 "$policy"
fi

install() {
	# shellcheck disable=SC2086 # both are lists of words
	$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
		install --no-install-recommends $missing
}
# The lists of packages may be absent or older than what the mirror still has.
install || { $root apt-get -q update && install; } || {
	echo "setup: apt-get could not install:$missing; see above" >&2
	exit 1
}
