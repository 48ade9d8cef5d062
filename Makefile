# Two commands: `make demo` shows the main job, `make test` passes everything that CI runs.
.PHONY: demo test lint types imports tests docs lock bench soak clean
SHELL := /bin/sh
BIN := .venv/bin

demo: .venv/ready
	@$(BIN)/proxysieve demo

test: lint types imports tests

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

imports: .venv/ready
	$(BIN)/lint-imports

tests: .venv/ready
	$(BIN)/python -m pytest

bench: .venv/ready
	@sh benchmarks/run

soak: .venv/ready  ## a job of 200,000 pages, while proxies die and come
	@$(BIN)/python benchmarks/soak.py

.venv/ready: pyproject.toml requirements-dev.txt scripts/setup
	@sh scripts/setup
	@touch $@

docs: .venv/ready  ## writes what is made from the commands
	@$(BIN)/python scripts/cli_reference.py

lock: .venv/ready  ## pins what the project is built and tested with
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--group dev --all-extras pyproject.toml -o requirements-dev.txt

clean:
	rm -rf .venv build dist
