# The two commands of a newcomer are `make demo` and `make test`; `make help` lists the rest.
SHELL := /bin/bash
CARGO ?= cargo
.DEFAULT_GOAL := help

.PHONY: help demo test e2e fuzz bench check build packages tools-build tools-packages tools-demo tools-test tools-e2e tools-bench clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: tools-build ## Build the two programs (target/release)
	$(CARGO) build --release --locked

packages: tools-packages build ## RPM and Debian packages of the two programs (dist); KEY=FILE signs the RPMs
	scripts/build-packages dist $(if $(KEY),--key $(KEY))

demo: tools-demo build ## From an archetype to a running service on a booted host, on embedded defaults
	$(CARGO) xtask demo

test: tools-test ## All tests, with the end-to-end story on one machine
	$(CARGO) build --locked --workspace
	$(CARGO) test --locked --workspace --no-fail-fast

e2e: tools-e2e ## Stories on whole booted hosts; STORY=NAME runs one (`cargo xtask e2e --list`)
	$(CARGO) build --locked --workspace
	$(CARGO) xtask e2e $(if $(STORY),--story $(STORY))
	$(if $(STORY),,$(CARGO) xtask fuzz --seconds 10)

fuzz: tools-e2e ## Feed hostile bytes to every parser that gets them, one minute each; TARGET=NAME feeds one
	$(CARGO) xtask fuzz $(TARGET)

bench: tools-bench build ## Time our commands beside real peers; prints ratios, writes bench/results.json
	$(CARGO) run --release --locked --quiet --package xtask -- bench

check: ## What CI adds to the tests: formatting, lints, documentation, the project's own rules
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	$(CARGO) xtask tidy

tools-build tools-packages tools-demo tools-test tools-e2e tools-bench: tools-%:
	@scripts/install-tools $*

clean: ## Remove the work folder (cached host images, demo data); build output stays
	rm -rf work
