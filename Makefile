# make setup: the environment in .venv, with the command dqa.   make demo: the main job, on real clips.
# make test: all tests, in two processes (WORKERS=0: in one).   make check: lint, types, import contracts.   make test-fast: without the slow tests.
# make test-gpu: the tests that need a GPU.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.dqa-setup
# More than one thread a process is slower, not faster, on small machines (docs/measurements.md).
export OMP_NUM_THREADS ?= 1
WORKERS ?= 2

.PHONY: setup demo test test-fast test-gpu check clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt workers/embedded.requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[embedded,training,gpu,cluster,service,letta,dev]'
	$(BIN)/python -m pip install --quiet --no-deps -r workers/embedded.requirements.txt
	touch $(STAMP)

demo: setup
	$(BIN)/python scripts/demo.py

test: setup
	$(BIN)/python -m pytest -n $(WORKERS)

test-fast: setup
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not slow'

test-gpu: setup
	$(BIN)/python -m pytest -m gpu

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .demo build dist
