#!/bin/sh
# Builds the image twice, in two folders, each from its own copy of the source
# and with caches of its own, and compares what came out to the byte.
set -eu
cd "$(dirname "$0")/.."
board=${1:-qemu}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
for n in one another/deeper; do
	mkdir -p "$dir/$n"
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$dir/$n"
	# The second build begins without any compiled package, at another time.
	[ "$n" = one ] || export GOCACHE="$dir/gocache"
	(cd "$dir/$n" && go run ./images/build -board "$board" -out out)
done
for f in vmlinuz initramfs.cpio.zst wirepatch.efi wirepatch.img wirepatch.qcow2 wirepatch-installer.img bom.json wirepatch.spdx.json; do
	cmp "$dir/one/out/$f" "$dir/another/deeper/out/$f"
	echo "the same: $(sha256sum <"$dir/one/out/$f" | cut -d' ' -f1)  $f"
done
