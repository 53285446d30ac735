# What can be done here; `make` alone lists it. Each target first installs what it needs and this machine lacks
# (scripts/setup.sh), and says so.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test build lint format bench instructions crash hostile simulate fuzz pictures

# Where rustup puts cargo; not in the PATH of the shell that has just installed it.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# The benches of single parts. As tests each runs once, on little, for what it asserts.
BENCHES := stages sessions journal metrics limits

# How long each fuzz target runs, in seconds.
FUZZ_SECONDS ?= 60
# How long each measurement among bad connections takes, in seconds.
HOSTILE_SECONDS ?= 10

# How often the service is killed, and with which store: sqlite, postgres or both. CRASH_SEED repeats a run's traffic.
CRASH_KILLS ?= 100
CRASH_STORE ?= both

# How many simulated worlds, from seed 0 on. With SIMULATE_SEED set only that one runs, and is told step by step.
SEEDS ?= 2000

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: build ## Count generated traffic, live on this terminal; DEMO_SECONDS=20 make demo ends by itself
	@./target/release/castmeter demo

test: lint ## All checks and tests, as CI runs them
	@scripts/setup.sh test
	cargo test --locked --doc
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --locked; else cargo test --locked --lib --bins --tests; fi
	cargo test --locked $(addprefix --bench ,$(BENCHES))

build: ## The release binary, target/release/castmeter
	@scripts/setup.sh build
	cargo build --locked --release

lint: ## Formatting and clippy
	@scripts/setup.sh build
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

format: ## Format the code
	@scripts/setup.sh build
	cargo fmt

bench: build ## Measure castmeter, its parts and beside other programs; some of it: PARTS="count serve" make bench
	@scripts/setup.sh bench
	scripts/bench/run.py $(PARTS)

instructions: build ## Instructions a line, against the figures kept; ACCEPT=1 make instructions keeps new ones
	@scripts/setup.sh instructions
	scripts/bench/instructions.py $(if $(ACCEPT),--accept)

hostile: ## Throughput among 5,000 bad connections, HOSTILE_SECONDS (10) each way; fails below 80 %
	@scripts/setup.sh build
	HOSTILE_SECONDS=$(HOSTILE_SECONDS) cargo bench --locked --bench hostile

fuzz: ## Fuzz each target for FUZZ_SECONDS (60), from its seeds; make test replays what crashed
	@scripts/setup.sh fuzz
	@set -e; for target in $$(cargo +nightly fuzz list); do \
	  echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
	  mkdir -p "fuzz/corpus/$$target"; \
	  cargo +nightly fuzz run "$$target" "fuzz/corpus/$$target" "fuzz/seeds/$$target" -- -max_total_time=$(FUZZ_SECONDS); \
	done

crash: ## Kill the service CRASH_KILLS (100) times for each CRASH_STORE (both), under load; make test does so a few times
	@scripts/setup.sh test
	CRASH_KILLS=$(CRASH_KILLS) CRASH_STORE=$(CRASH_STORE) \
	  cargo test --locked --test crash killed_over_and_over -- --nocapture --test-threads=1

simulate: ## Simulate SEEDS (2000) small worlds where all goes wrong; SIMULATE_SEED=7 make simulate tells one
	@scripts/setup.sh build
	SIMULATE_SEEDS=$(SEEDS) cargo test --locked --test simulator simulate_ -- --nocapture

pictures: build ## Draw the dashboards into docs/pictures, with a day of generated traffic in them
	@scripts/setup.sh pictures
	scripts/pictures/scene.sh
