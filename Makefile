# make demo, make test, make sim, make prove, make lint, make rtl, make docs, make clean. Each sets up its Python environment first if need be.
# Needs Python 3.11 or newer with venv, g++, make and perl; everything else is installed into $(VENV).

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

BIN := $(VENV)/bin
READY := $(VENV)/.talos-ready

.PHONY: demo test sim prove lint rtl docs clean help
.DELETE_ON_ERROR:

help:
	@sed -n '1,2s/^# //p' Makefile

# The real thing: a digit classifier compiled, run on both models and on the generated Verilog, compared with onnxruntime.
demo: $(READY)
	$(BIN)/talos verify models/digits.onnx --config 8x8 --rtl-images 5

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

# All cocotb benches; `$(BIN)/python -m sim NAME` runs one.
sim: $(READY)
	$(BIN)/python -m sim

# Formal proofs of queues, arbiters and bus interfaces, and that each finds the faults seeded into its block; `$(BIN)/python -m proofs NAME` runs one.
prove: $(READY)
	$(BIN)/python -m proofs
	$(BIN)/python -m proofs --seeded

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy talos
	$(BIN)/lint-imports --no-logo --no-cache

# The Verilog of the presets; commit the result.
rtl: $(READY)
	$(BIN)/talos generate -o rtl_out

# The documentation, as web pages: docs/_build/index.html. Generated pages are written anew; commit the result.
docs: $(READY)
	$(BIN)/python -m docs.generate
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

clean:
	rm -rf build dist docs/_build *.egg-info sim_build results.xml .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[rtl,synth,dev]"
	@touch $@
