# Everything runs inside .venv. Another Python: make PYTHON=/path/to/python3.12 setup
# A stamp in .venv remembers what is installed; only pyproject.toml or constraints.txt make it stale.

VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core-installed
DEV := $(VENV)/.dev-installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
CODE := $(wildcard src tests bench examples)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint format-check types format clean
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(CORE) ## create .venv and install tutelage with the pinned versions
	@echo "$(VENV) is ready."

demo: $(CORE) ## train on bundled handwritten digits and write runs/demo/report.html
	$(BIN)/tutelage demo

test: $(DEV) ## the whole test suite, and that it covers the code
	$(BIN)/python -m pytest --cov=tutelage --cov-report=term:skip-covered --cov-fail-under=95

check: lint format-check types ## lint, format and type checks, in this order

lint: $(DEV) ## ruff's rules
	$(BIN)/ruff check $(CODE)

format-check: $(DEV) ## is everything formatted? (changes nothing)
	$(BIN)/ruff format --check $(CODE)

types: $(DEV) ## pyright
	$(BIN)/pyright

format: $(DEV) ## format the code and apply safe fixes
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean: ## remove .venv and caches (runs/ stays)
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing tutelage and its pinned dependencies into $(VENV) (a minute or two) ..."
	@$(PIP) -e .
	@touch $@

$(DEV): $(CORE)
	@echo "Installing the development tools into $(VENV) ..."
	@$(PIP) -e '.[dev]'
	@touch $@

$(BIN)/python:
	@python=; \
	for candidate in $(if $(PYTHON),'$(PYTHON)',python3 python3.13 python3.12 python3.11); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "tutelage needs Python 3.11 or newer, and $(or $(PYTHON),python3) is" \
	         "$$('$(or $(PYTHON),python3)' --version 2>/dev/null || echo 'not there')." >&2; \
	    echo "Install a newer one, or name it: make PYTHON=/path/to/python3.11 setup" >&2; exit 2; \
	fi; \
	echo "Creating $(VENV) with $$("$$python" --version) ..."; \
	rm -rf $(VENV); "$$python" -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "Creating the environment failed. On Debian and Ubuntu: install python3-venv, then try again." >&2; \
	    exit 2; }
