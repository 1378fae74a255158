# `make help` lists what there is. Everything built lies in out/.

# run and demo tell how long the first correction took, from here on.
export WIREPATCH_STARTED := $(shell date +%s)
export WIREPATCH_RUN := $(if $(wildcard out/initramfs.cpio.zst),later,first)

# The board that images are built for; make run and the tests want qemu.
BOARD ?= qemu

.DEFAULT_GOAL := help
.PHONY: help run demo console test soak fuzz check prove bench setup image test-image reproducible generated clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ready ## build the appliance, boot it with a lab around it, show corrections, serve until Ctrl-C
	@out/qemu run

demo: ready ## the same, checked step by step; ends with status 0 or 1
	@out/qemu demo

console: ## attach this terminal to the serial console of the appliance that make run started
	@go run ./qemu console

test: setup check image test-image ## all tests: units, namespaces, the image in QEMU (as root)
	@# One package at a time: the namespaces and virtual machines of two would starve each other.
	@rm -rf out/test/figures
	go test -p 1 -count=1 -timeout 60m ./...
	@cat out/test/figures/*

soak: setup test-image ## hours of what make test does for minutes: the simulator, bad networks, kills, zero copy, updates, power cuts, fuzzing (as root)
	go test -count=1 -timeout 0 ./dataplane/session/sim -args -runs 1000000
	go test -count=1 -timeout 0 -run TestZeroCopy ./dataplane/port -args -zero-copy
	go test -count=1 -timeout 0 -run TestZeroCopy ./qemu/e2e -args -zero-copy
	go test -count=1 -timeout 0 ./dataplane/e2e/soak -args -sessions 100000 -kills 300
	go test -count=1 -timeout 0 -run 'TestUpdatesInARow|TestPowerCuts' ./qemu/e2e/firmware -args -updates 50 -cut-boots 100 -cut-all
	qemu/fuzz.sh 10m

fuzz: ## every parser's fuzz target, for TIME each (make fuzz TIME=1h; 1m when nothing is said)
	qemu/fuzz.sh $(or $(TIME),1m)

check: generated ## formatting, vet, staticcheck, generated files
	@bad=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$bad" || { echo "not formatted with gofmt:" $$bad; exit 1; }
	go vet ./...
	cd qemu/portal && go vet . && go vet -modfile=patched.mod -tags=patched .
	go tool staticcheck ./...

prove: setup ## vulnerable and patched servers, compared through the appliance: docs/proofs.md, out/proofs.json (as root)
	@go run ./definitions prove -jobs 2

bench: ## benchmarks, then the wire against the Linux bridge: a table and out/bench.json (as root)
	go test -run '^$$' -bench . -benchmem ./...
	go run ./dataplane/bench

setup: ## install the Debian packages that are missing for all of this
	@qemu/setup.sh test

image: ## the appliance's image, in out/ (BOARD=generic-x86_64 for another than qemu)
	@go run ./images/build -board $(BOARD) -out out $(if $(TRUST),-trust $(TRUST)) $(if $(SECUREBOOT),-secureboot $(SECUREBOOT)) $(if $(DEFINITIONS),-definitions $(DEFINITIONS)) $(if $(KERNEL_SUITE),-kernel-suite $(KERNEL_SUITE))

test-image: image ## the same with a root shell on the console, for tests, in out/test
	@mkdir -p out/test && ln -sfn ../cache out/test/cache
	@go run ./images/build -board qemu -out out/test -debug-shell

reproducible: ## build the image twice, in two places, and compare to the byte
	@images/reproducible.sh $(BOARD)

generated: ## do the BPF programs in the repository fit their source? (where clang is installed)
	@qemu/generated.sh

clean: ## remove everything built
	rm -rf out

.PHONY: ready
ready:
	@qemu/phase.sh setup 'the Debian packages that it needs'
	@qemu/setup.sh run
	@qemu/phase.sh image 'kernel and programs of the appliance'
	@$(MAKE) --no-print-directory image
	@qemu/phase.sh build 'the lab'
	@go build -o out/qemu ./qemu
