# Two commands: `make demo` shows the main job, `make test` passes everything that CI runs.
.PHONY: demo test lint types imports tests docs lock bench soak clean
SHELL := /bin/sh
# `make test PYTHON=python3.13` takes that interpreter, in an environment of its own beside the usual one.
VENV := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin

demo: $(VENV)/ready
	@$(BIN)/proxysieve demo

test: lint types imports tests

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready
	$(BIN)/mypy

imports: $(VENV)/ready
	$(BIN)/lint-imports

tests: $(VENV)/ready
	@VENV=$(VENV) sh scripts/chromium
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

bench: $(VENV)/ready
	@sh benchmarks/run

soak: $(VENV)/ready  ## a job of 200,000 pages, while proxies die and come, and the client alone
	@$(BIN)/python benchmarks/soak.py
	@$(BIN)/python benchmarks/soak_client.py

docs: $(VENV)/ready  ## writes what is made from the commands
	@$(BIN)/python scripts/cli_reference.py

$(VENV)/ready: pyproject.toml requirements-dev.txt scripts/setup
	@VENV=$(VENV) PYTHON=$(PYTHON) sh scripts/setup
	@touch $@

lock: $(VENV)/ready  ## pins what the project is built and tested with
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--group dev --all-extras pyproject.toml -o requirements-dev.txt

clean:
	rm -rf .venv .venv-* build dist
