#!/bin/sh
# Makes the file system that a box's data partition begins with: small, and able
# to grow to any disk. The same tool gives the same bytes at any time.
set -eu
cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export E2FSPROGS_FAKE_TIME=1767225600 PATH="$PATH:/usr/sbin:/sbin"
mke2fs -q -t ext4 -b 4096 -J size=8 -m 1 -O encrypt -L wirepatch-data -U 8f6c2b0e-57c1-4b5d-9c2d-6a1c7e5a1d04 \
	-E hash_seed=8f6c2b0e-57c1-4b5d-9c2d-6a1c7e5a1d05,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0,resize=268435456 \
	"$dir/fs" 32m
zstd -q -19 -f "$dir/fs" -o template.ext4.zst
