# Striate: `make run` starts the window, `make test` checks everything.

CARGO ?= cargo
DATA ?=
OUT ?= screenshots

.PHONY: run test test-core test-data bench screenshots setup setup-test

## Starts the window on LeNet-5.
run: setup
	$(CARGO) run --release

## Format, lints, tests without and with window and engine, documentation. Needs no file from outside the repository.
test: setup-test
	$(CARGO) fmt --check
	$(CARGO) clippy --release --all-targets -- -D warnings
	$(CARGO) test --release --no-default-features
	$(CARGO) test --release
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --no-deps

## The fast loop: everything that knows neither burn nor egui.
test-core:
	$(CARGO) test --release --no-default-features

## Tests on real data: make test-data DATA=DIR with DIR/mnist and so on.
test-data: setup-test
	@test -d "$(DATA)" || { echo "make test-data DATA=DIR: DIR must be a folder with mnist/ in it. Received '$(DATA)'." >&2; exit 2; }
	STRIATE_DATA="$(abspath $(DATA))" $(CARGO) test --release --lib -- real_data --nocapture

## Benchmarks.
bench:
	$(CARGO) bench --no-fail-fast

## Draws every picture in screenshots/ anew.
screenshots: setup-test
	$(CARGO) run --release -- screenshots $(OUT)

setup:
	@scripts/setup.sh

setup-test:
	@scripts/setup.sh test
