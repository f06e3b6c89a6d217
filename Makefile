# Two commands for a fresh machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PACKETS ?= 100000
SEED ?= 20000
SAMPLE ?= samples/selector-no-match/bundle.tgz

.PHONY: demo test docs bench kernel-soak messages setup clean

demo: $(VENV)/.installed
	@mkdir -p demo
	@$(BIN)/svcbundle analyze $(SAMPLE) --fail-on never
	@$(BIN)/svcbundle analyze $(SAMPLE) --fail-on never --quiet -o demo/report.html
	@echo
	@echo "The same report as a page: $(CURDIR)/demo/report.html"

test: $(VENV)/.installed-dev
	@sh tests/system_packages.sh
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto -q

docs: $(VENV)/.installed
	@$(BIN)/python -m docs.generate

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m compileall -q analyzer  # as pip does with what is not editable
	@$(BIN)/python -m bench.run

# Random packets against the kernel, in network namespaces of this machine (root): how often both agree.
kernel-soak: $(VENV)/.installed
	@sh tests/system_packages.sh
	@$(BIN)/python -m tests.kernel.soak $(PACKETS) $(SEED)

messages: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.language.catalogues

setup: $(VENV)/.installed-dev

$(VENV)/bin/python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "svcbundle needs Python 3.11 or later: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
