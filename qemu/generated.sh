#!/bin/sh
# Fails when generated files are not what their sources make. Leaves the
# working tree as it found it.
set -eu
cd "$(dirname "$0")/.."

if ! command -v clang-14 >/dev/null; then
	echo "generated: clang-14 is not installed; the BPF programs are not checked (Debian packages clang-14 llvm-14 libbpf-dev)"
	exit 0
fi
dir=dataplane/port
old=$(mktemp -d)
trap 'cp -p "$old"/* $dir/; rm -rf "$old"' EXIT
trap 'exit 1' INT TERM HUP
files="wire_bpfel.go wire_bpfel.o xdp_bpfel.go xdp_bpfel.o watch_bpfel.go watch_bpfel.o tick_bpfel.go tick_bpfel.o"
for f in $files; do cp -p "$dir/$f" "$old"; done
go generate ./$dir
for f in $files; do
	cmp -s "$old/$f" "$dir/$f" || {
		echo "generated: $dir/$f is stale; run: go generate ./$dir" >&2
		exit 1
	}
done
