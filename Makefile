# `make` alone lists the commands.

PORT ?= 8001
export PORT PYTHON

.DEFAULT_GOAL := help
.PHONY: help run test lint format stress mutants bench

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: ## Serve with demo data until Ctrl-C (PORT=8001, PYTHON=python3.12)
	@exec bin/run

test: ## Run the tests on SQLite and PostgreSQL (ARGS="tests/test_x.py -k name")
	@exec bin/test $(ARGS)

lint: ## Check format and code
	@bin/venv requirements-dev.txt
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m ruff check .

format: ## Format, and mend what can be mended
	@bin/venv requirements-dev.txt
	.venv/bin/python -m ruff format .
	.venv/bin/python -m ruff check --fix .

stress: ## Prove it under many senders and faults; takes long (ARGS=--short)
	@bin/venv requirements-dev.txt
	.venv/bin/python -m tests.stress $(ARGS)

mutants: ## Break the code on purpose: a test must notice each way
	@bin/venv requirements-dev.txt
	.venv/bin/python bin/with-postgres .venv/bin/python -m tests.stress.mutants

bench: ## Measure it beside its references, 15 minutes (ARGS="batches --short")
	@bin/venv requirements-dev.txt
	@bin/venv requirements-bench.txt .venv-bench
	.venv/bin/python -m benchmarks $(ARGS)
