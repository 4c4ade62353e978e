# Everything a person runs by hand. `make demo` shows pilogger at work, `make test` proves it.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help demo test soak lint docs bench bench-store package clean

help:
	@echo "make demo        this machine's own readings, from the sensor to the page"
	@echo "make test        the whole suite (make test ARGS='-k store' for a part)"
	@echo "make soak        the master test for 10 minutes, or FOR=1h; one life of it: SEEDS=17"
	@echo "make lint        format, style, types and the import contract"
	@echo "make docs        write the generated tables and docs/sensors.md anew"
	@echo "make package     the wheel, tried in a fresh environment"
	@echo "make bench       the figures of benchmarks/README.md, beside their peers"
	@echo "make bench-store those of the store's history; the last of them needs root"

demo: .venv/demo
	@$(BIN)/pilogger demo $(ARGS)

test: .venv/test
	$(BIN)/python -m pytest $(ARGS)

soak: .venv/test
	$(BIN)/python tests/soak.py $(SEEDS) $(if $(FOR),--for $(FOR))

lint: .venv/lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy pilogger tests benchmarks
	$(BIN)/lint-imports
	$(BIN)/cog --check -r README.md docs/sensors.md docs/faults.md

docs: .venv/lint
	$(BIN)/cog -r README.md docs/sensors.md docs/faults.md
	$(BIN)/pilogger schema > examples/pilogger.schema.json

package: .venv/package
	.ci/package

bench: .venv/bench
	$(BIN)/python benchmarks/upload.py
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/outage.py
	$(BIN)/python benchmarks/seeds.py
	$(BIN)/python benchmarks/append.py
	$(BIN)/python benchmarks/schedule.py
	$(BIN)/python benchmarks/resources.py
	$(BIN)/python benchmarks/unharmed.py

bench-store: .venv/bench
	$(BIN)/python benchmarks/store_query.py
	$(BIN)/python benchmarks/store_year.py
	$(BIN)/python benchmarks/store_size.py
	$(BIN)/python benchmarks/store_schedule.py
	$(BIN)/python benchmarks/store_writes.py

clean:
	rm -rf .venv dist

# One environment; a stamp for each set of packages that is in it.

.venv/ready:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "pilogger needs Python 3.11 or newer: sudo apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "pilogger needs Python 3.11 or newer; $(PYTHON) is older." \
		       "Say make PYTHON=python3.11, or: sudo apt install python3.11-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python cannot make environments here: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

.venv/demo: .venv/ready pyproject.toml
	$(PIP) install --editable '.[hub]'
	@touch $@

.venv/test: .venv/demo
	$(PIP) install --group test
	@touch $@

.venv/lint: .venv/test
	$(PIP) install --group lint
	@touch $@

.venv/package: .venv/ready
	$(PIP) install build
	@touch $@

.venv/bench: .venv/demo
	$(PIP) install --group bench
	@touch $@
