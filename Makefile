# Everything a newcomer, a developer and CI need. `make demo` and `make test` work on a machine with Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := search_spaces trainables results sweeper tests benchmarks examples

.PHONY: demo test test-slow check format bench gpu docs fuzz image-check clean

demo: $(VENV)/.installed  ## install and run the default sweep
	$(BIN)/sweeper run grids/digits.yaml

test: $(VENV)/.installed-dev  ## the whole suite but the slow tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/.installed-dev  ## the long checks
	$(BIN)/python -m pytest -m slow --timeout 1800

check: $(VENV)/.installed-dev  ## format, lint, types, imports, links
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_documentation.py

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev  ## the figures of docs/performance.md
	$(BIN)/python benchmarks/overhead.py

gpu:  ## nine minutes of one GPU: tests, benchmarks and sweeps at paper scale, with what benchmarks/gpu_pack.sh has packed
	PY=$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) bash benchmarks/gpu.sh

SECONDS_OF_FUZZ ?= 120
fuzz: $(VENV)/.installed-dev  ## looks for what breaks the reading of grids, then of sweeps, SECONDS_OF_FUZZ seconds each
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python fuzz/load_grid.py $(SECONDS_OF_FUZZ)
	$(BIN)/python fuzz/read_sweep.py $(SECONDS_OF_FUZZ)

image-check:  ## build the container images without an engine and run the digits sweep inside; as root, on Debian
	docker/image-check.sh

docs: $(VENV)/.installed  ## docs/grid.md, the reference of the grid file, from its schema
	$(BIN)/python -c "from pathlib import Path; from search_spaces.reference.grid_page import grid_page; \
	  Path('docs/grid.md').write_text(grid_page(), encoding='utf-8')"

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .fuzz
