# Two commands: `make quickstart` (install, miniature city, train, table, report, index,
# five photos located) and `make test` (install, lint, types, docs, all tests). What vpr_tf is installed with:
# `make sbom` (bill of materials, dist/sbom.cdx.json), `make licences` (docs/licences.md),
# `make audit` (known flaws; asks a service), `make hashes` (after constraints.txt changed).
# `make addons`: TensorFlow Addons' own values, in an environment of its own, against ours.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Each process holds TensorFlow and up to 4 GB.
TEST_PROCESSES ?= 2
# Editable: what is run is the source as it is now, never an older copy of it.
INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt

# The tools of the last four have packages of their own.
TOOLS := $(VENV)/tools
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --python $(TOOLS)/bin/python --generate-hashes \
	--no-header --no-annotate --no-emit-index-url

.PHONY: install install-dev quickstart lint docs test hashes licences sbom audit addons

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable ".[scann,milvus,onnx,openvino,quality,serve]"
	touch $@

# Nothing is installed here but the very files that were tested.
$(VENV)/.installed-dev: pyproject.toml requirements-hashed.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-hashed.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(TOOLS)/.installed: requirements-tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --require-hashes -r requirements-tools.txt
	touch $@

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

# What is done is not done again, what was stopped goes on. To begin anew: delete RUNS.
CONFIG := configs/quickstart.yaml
CITY := datasets/quickstart_images
RUNS := runs/quickstart
NEWEST_RUN := $$(ls -d $(RUNS)/2* | tail -1)
INDEX := quickstart.index

$(RUNS)/.data: $(CONFIG) | $(VENV)/.installed
	$(BIN)/vpr data synthesize --preset quickstart --output $(CITY)
	$(BIN)/vpr data build --config $(CONFIG)
	$(BIN)/vpr data inspect --config $(CONFIG)
	mkdir -p $(RUNS)
	touch $@

$(RUNS)/.trained: $(RUNS)/.data
	resume=; if [ -e $(RUNS)/.training ] && ls $(RUNS)/2* > /dev/null 2>&1; then resume=--resume; fi; \
	touch $(RUNS)/.training; \
	$(BIN)/vpr train --config $(CONFIG) $$resume
	mv $(RUNS)/.training $@

$(RUNS)/.reported: $(RUNS)/.trained
	$(BIN)/vpr evaluate --config $(CONFIG) --model $(NEWEST_RUN) --report
	touch $@

$(RUNS)/.indexed: $(RUNS)/.trained
	rm -rf $(INDEX)
	$(BIN)/vpr index build --index $(INDEX) --config $(CONFIG) --model $(NEWEST_RUN)
	$(BIN)/vpr index calibrate --index $(INDEX) --config $(CONFIG)
	touch $@

quickstart: install $(RUNS)/.reported $(RUNS)/.indexed
	$(BIN)/vpr localize --index $(INDEX) \
		$$(ls -d $(CITY)/test/queries/* | LC_ALL=C sort | sed -n '40~80p')
	@echo
	@echo "Report: $$(ls -d $(RUNS)/2*/report/*/test/report/report.html | tail -1)"
	@echo "A page with a map, at http://127.0.0.1:8080 until Ctrl-C:"
	@echo "  $(BIN)/vpr serve --index $(INDEX) --photos $(CITY)/test/database"

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: install-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

test: lint docs
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder \
		--durations 25

hashes: $(TOOLS)/.installed
	$(COMPILE) --extra dev --constraint constraints.txt --output-file requirements-hashed.txt \
		pyproject.toml
	$(COMPILE) --output-file requirements-tools.txt requirements-tools.in

licences: install-dev
	$(BIN)/python -m supply_chain.licences > docs/licences.md

sbom: install-dev $(TOOLS)/.installed
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json $(BIN)/python
	$(BIN)/python -m supply_chain.sbom dist/sbom.cdx.json

audit: $(TOOLS)/.installed
	$(TOOLS)/bin/python -m supply_chain.audit

ADDONS := $(VENV)/addons
ADDONS_PYTHON ?= python3.11

$(ADDONS)/.installed: requirements-addons.txt
	$(ADDONS_PYTHON) -m venv $(ADDONS)
	$(ADDONS)/bin/python -m pip install --quiet -r requirements-addons.txt
	touch $@

addons: $(ADDONS)/.installed install
	$(ADDONS)/bin/python benchmarks/addons_values.py $(ADDONS)/values.npz
	$(BIN)/python -m benchmarks.addons $(ADDONS)/values.npz
