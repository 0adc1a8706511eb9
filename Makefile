# The short way in. Each target sets up what it needs (Debian 12) and is quick the second time.
# Working on the code: cmake --preset dev, then ninja -C build/dev; see docs/guide.

BUILD  := build/release
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)
# Namespaces, BPF and captures need root; sudo asks when you are not.
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo)
DEMO   ?=
BENCH  ?=

.PHONY: help demo demo-qemu test bench lint tidy install build clean setup setup-run setup-qemu \
  setup-lint

help: ## Print this list
	@echo "Leman: virtual networks over GENEVE. Targets:"
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: setup-run build ## Two hosts, two machines, one packet's way through GENEVE (under a minute once built)
	@$(SUDO) $(BUILD)/src/cli/leman demo $(DEMO)

demo-qemu: setup-run setup-qemu build ## The same with three real virtual machines
	@$(SUDO) $(BUILD)/src/cli/leman demo --kind qemu $(DEMO)

test: setup-run setup-qemu build ## All tests: unit, fuzz, packet, verifier, e2e, guest (Linux 6.1 in QEMU), scale
	@tools/test.sh $(BUILD)

bench: setup-run setup-qemu build ## Side by side with bare veth, Linux geneve, VXLAN and OVS: here, then in the guest
	@$(SUDO) tests/bench/run $(BENCH)
	@$(SUDO) tests/bench/run --guest $(BENCH)

lint: setup-lint build ## Format, include directions, BPF rules, scripts, clang-tidy's quick checks
	@tools/lint.sh $(BUILD)

tidy: setup-lint build ## All of clang-tidy, with the analyzer (a quarter of an hour the first time)
	@tools/tidy.py $(BUILD)

install: build ## Install to PREFIX (/usr/local); DESTDIR is honoured
	@echo "== install to $(DESTDIR)$(PREFIX)"
	@if [ -w "$(DESTDIR)$(PREFIX)" ] || [ -n "$(DESTDIR)" ]; then run=; else run="$(SUDO)"; fi; \
	 $$run env DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

build: setup ## Compile everything (optimised, build/release)
	@echo "== build ($(BUILD), $(JOBS) jobs)"
	@[ -e $(BUILD)/build.ninja ] || cmake --preset release
	@ninja -C $(BUILD) -j$(JOBS) --quiet

clean: ## Remove the build tree and what a lab may have left behind
	@[ ! -x $(BUILD)/src/cli/leman ] || $(SUDO) $(BUILD)/src/cli/leman lab down --all
	rm -rf $(BUILD)

setup:
	@tools/setup.sh build

setup-run: setup
	@tools/setup.sh run

setup-qemu: setup
	@tools/setup.sh qemu

setup-lint: setup
	@tools/setup.sh lint
