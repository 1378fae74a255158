#!/bin/sh
# Runs every fuzz target in the repository for the given time each (30s, 1h).
# Findings are kept by go test below the package's testdata/fuzz.
set -eu
cd "$(dirname "$0")/.."
time=${1:?usage: qemu/fuzz.sh TIME [PACKAGE...], for instance qemu/fuzz.sh 30s ./dataplane/...}
shift
status=0
for p in $(go list "${@:-./...}"); do
	for f in $(go test -list '^Fuzz' "$p" | grep '^Fuzz' || true); do
		echo "fuzz: $p $f for $time"
		go test -run '^$' -fuzz "^$f\$" -fuzztime "$time" "$p" || status=1
	done
done
exit $status
