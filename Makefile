# `make reproduce` and `make test` need Python ≥ 3.11 and nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin

.PHONY: reproduce test readme clean

reproduce: $(VENV)/.run
	$(BIN)/lemmascope reproduce

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

readme: $(VENV)/.run   # the documents' tables and pictures anew: 20 minutes
	$(BIN)/lemmascope reproduce --force
	$(BIN)/lemmascope reproduce --force --root-seed 1 --out results/root-1
	$(BIN)/lemmascope reproduce --force --root-seed 2 --out results/root-2
	$(BIN)/lemmascope reproduce --force --dtype float32 --out results/float32
	$(BIN)/lemmascope phase --force
	$(BIN)/lemmascope scaling --force
	$(BIN)/python -m sims.readme results/headline results/root-1 results/root-2 results/float32 results/phase results/scaling

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "lemmascope needs Python 3.11 or newer; $(PYTHON) is older (set PYTHON=…)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "Installing lemmascope into $(VENV) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "Installing lemmascope and its test tools into $(VENV) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build *.egg-info
