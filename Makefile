# Needs: Python >= 3.11 with venv, git >= 2.39, make. Everything else goes into .venv.
#
#   make run ARGS="--listen 127.0.0.1:8080"     options of `configsvc serve`
#   make test ARGS="-k versions"                options of pytest
#   make run PYTHON=python3.13                  another interpreter (after `make clean`)

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PROJECT := setup.cfg pyproject.toml

# Tests start the program a hundred times, and each start would compile it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test fast thorough lint format bench plots soak clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.dev ## Make .venv with everything for development

run: $(VENV)/.server ## Serve config-repo/ on http://127.0.0.1:5000 (Ctrl-C stops it)
	@exec $(BIN)/configsvc serve $(ARGS)

test: $(VENV)/.dev ## Run the tests: every promise, in less than five minutes
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

thorough: $(VENV)/.dev ## Run those that show the same at larger sizes, from more sides, in every pairing
	$(BIN)/python -m pytest -n auto --dist worksteal -m "thorough and not soak" $(ARGS)

fast: $(VENV)/.dev ## Run the tests that take seconds
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not thorough and not soak" $(ARGS)

lint: $(VENV)/.dev ## Check style, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev ## Measure writes, reads and start-up; print a table
	$(BIN)/python -m bench $(ARGS)

plots: $(VENV)/.dev ## Draw bench/plots
	$(BIN)/python -m bench.curves $(ARGS)

soak: $(VENV)/.dev ## Run the long tests: kill rounds, fuzzing, load
	$(BIN)/python -m pytest -m soak -s --timeout=0 $(ARGS)

clean: ## Remove .venv, builds and caches; config-repo/ stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find configsvc tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# The three stamps below make the second run instant. An interrupted step leaves no stamp, so it
# is done again from the start.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "python: $$($(PYTHON) --version 2>&1) (expected: >= 3.11; name another one with PYTHON=python3.x)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON): the venv module is missing (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@git --version 2>/dev/null | $(PYTHON) -c 'import re, sys; \
	    found = sys.stdin.read().strip(); parts = re.search(r"(\d+)\.(\d+)", found); \
	    parts and tuple(map(int, parts.groups())) >= (2, 39) \
	    or sys.exit(f"git: {found or None} (expected: >= 2.39 on PATH)")'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.server: $(VENV)/.made $(PROJECT)
	@echo "installing what the server needs"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(PROJECT)
	@echo "installing what development needs"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@# Hypothesis makes a table of Unicode when it first needs one, for three seconds; else each worker of the tests would.
	@$(BIN)/python -c 'from hypothesis import find, strategies; find(strategies.characters(), lambda _: True)'
	@touch $(VENV)/.server $@
