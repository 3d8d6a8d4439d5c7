# Two commands: `make quickstart` (install, miniature city, train, table, SavedModel)
# and `make test` (install, lint, all tests).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Each process holds TensorFlow and up to 4 GB.
TEST_PROCESSES ?= 2

.PHONY: install install-dev quickstart lint test

$(VENV)/.installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

quickstart: install
	$(BIN)/python -m data_prep synthesize --preset quickstart --output datasets/quickstart_images
	$(BIN)/python -m data_prep build --config configs/quickstart.yaml
	$(BIN)/python -m data_prep inspect --config configs/quickstart.yaml
	$(BIN)/python train_keras.py --config configs/quickstart.yaml

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile
