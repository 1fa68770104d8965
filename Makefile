# Short names for the commands of this repository. Each one does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup quick render demo test lint format schema docs snapshots bench scale routers soak long clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

setup: ## Create .venv with anvil-gen in it
	scripts/setup

render: ## Render the example host
	scripts/render

demo: ## Bring a real model up from nothing, and let it answer
	scripts/demo

quick: ## Run lint, type checks and unit tests: a minute, no Docker
	scripts/quick

test: ## Run lint, type checks and all tests, as CI does
	scripts/test

lint: ## Run lint, format and type checks only
	scripts/setup --dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

format: ## Rewrite the Python files in the project's format
	scripts/setup --dev
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

schema: ## Rewrite templates/*.schema.json from the code
	scripts/setup
	for kind in inventory group engine router gpu log memory architectures model target; do \
	  .venv/bin/anvil-gen schema --of $$kind --write templates/$$kind.schema.json || exit 1; \
	done

docs: ## Rewrite the generated pages of docs/
	scripts/setup
	.venv/bin/python scripts/generate_docs.py

snapshots: ## Render everything in hosts/ again
	scripts/setup
	.venv/bin/anvil-gen render --all

bench: ## Time the renderer
	scripts/setup --dev
	.venv/bin/python benchmarks/render.py

scale: ## Time a fleet of 1,000 inventories
	scripts/setup
	.venv/bin/python benchmarks/scale.py

routers: ## Time each router against its tiers asked directly; needs Debian's wrk
	scripts/setup --dev
	PYTHONPATH=tests .venv/bin/python benchmarks/routers.py

long: ## Run everything with long samples, and the soak: once per change that touches it
	scripts/test --long

soak: ## Send the default router fifty streams for half an hour while its tiers die
	scripts/setup --dev
	PYTHONPATH=tests .venv/bin/python benchmarks/soak.py --minutes $(or $(MINUTES),30)

clean: ## Remove all that set-up, tests and builds leave behind
	rm -rf .venv .tools build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
