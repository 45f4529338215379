# `make reproduce` and `make test` need Python ≥ 3.11 and nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin

# On Linux the package index has PyTorch with CUDA, some gigabytes; PIP_EXTRA_INDEX_URL=… or TORCH=… name a CPU build.
TORCH  ?= torch==2.13.0
PEERS   = tests/benchmarks/test_peers.py tests/benchmarks/test_studies_works.py tests/proofs_check/test_conformance_peers.py \
          tests/proofs_check/adaptive/test_adaptive_peers.py tests/proofs_check/conformance/test_adapters_peers.py

# Whose optimizers `lemmascope identities` shows; after PyTorch, so that none of them brings another one.
OPTIMIZERS = torch,optax,scikit-learn,keras,torch-optimizer,pytorch-optimizer,schedulefree

LINKS   = $(addprefix lemmascope/,theory sims proofs_check benchmarks)

.PHONY: reproduce test test-peers docs smoke check readme clean

reproduce: $(VENV)/.run   # what is finished of it is kept: a second call goes on, or shows it again
	$(BIN)/lemmascope reproduce --certify --resume

# Tests of one file share what it makes, such as runs, clusters and a wheel: --dist loadfile keeps them on one worker.
test: $(VENV)/.test $(LINKS)
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

test-peers: $(VENV)/.peers   # the tests that need PyTorch, JAX and other people's optimizers
	$(BIN)/python -m pytest -n auto --peers $(PEERS) $(PYTEST_ARGS)

docs: $(VENV)/.docs $(LINKS)   # the pages, in site/index.html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -j auto -d $(VENV)/.doctrees docs site
	@echo "site/index.html"

smoke: $(VENV)/.test   # the wheel in empty environments, with the lowest versions and the newest; tests of the sdist
	$(BIN)/python .ci/smoke.py $(VERSIONS)

check: $(VENV)/.run   # each study, proof and identity once, with its defaults: half an hour; SIZE=--quick for a look
	$(BIN)/lemmascope all $(SIZE) --force --out results/check
	$(BIN)/lemmascope prove --force --out results/check/proofs
	$(BIN)/lemmascope identities --force --out results/check/identities

readme: $(VENV)/.peers   # the documents' tables and pictures anew: 20 minutes
	$(BIN)/lemmascope all --force
	$(BIN)/lemmascope headline --force --root-seed 1 --out results/root-1
	$(BIN)/lemmascope headline --force --root-seed 2 --out results/root-2
	$(BIN)/lemmascope headline --force --dtype float32 --out results/float32
	$(BIN)/lemmascope prove --force
	$(BIN)/lemmascope identities --force
	$(BIN)/python -m lemmascope.proofs_check.conformance.adaptive > docs/proofs/algorithms.json
	$(BIN)/python -m lemmascope.sims.report.documents results

# Editors and the type checker find lemmascope.theory and the like through these; git ignores them.
$(LINKS): lemmascope/%:
	ln -sfn ../$* $@

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

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	@echo "Installing lemmascope and what builds its pages into $(VENV) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@ $(VENV)/.run

$(VENV)/.peers: $(VENV)/.test
	@echo "Installing PyTorch, JAX and other people's optimizers into $(VENV) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,peers,$(OPTIMIZERS)]'
	@touch $@

clean:
	rm -rf $(VENV) build site *.egg-info
