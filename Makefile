# Two commands: `make quickstart` (install, miniature city, train, table, SavedModel)
# and `make test` (install, lint, types, docs, all tests).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Each process holds TensorFlow and up to 4 GB.
TEST_PROCESSES ?= 2
# Editable: what is run is the source as it is now, never an older copy of it.
INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt

.PHONY: install install-dev quickstart lint docs test

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable ".[scann,milvus]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable ".[dev]"
	touch $@

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

quickstart: install
	$(BIN)/vpr data synthesize --preset quickstart --output datasets/quickstart_images
	$(BIN)/vpr data build --config configs/quickstart.yaml
	$(BIN)/vpr data inspect --config configs/quickstart.yaml
	$(BIN)/vpr train --config configs/quickstart.yaml

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Nothing is built of docs/ yet.
docs: install-dev

test: lint docs
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile
