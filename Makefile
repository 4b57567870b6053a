# PYTHON=… names the interpreter, VENV=… the environment's folder, ARGS=… is handed to the command.
VENV ?= .venv
export VENV
BIN := $(VENV)/bin
# A process a core, yet no more than a laptop's memory holds; ARGS='-n 0 …' keeps all in one.
PARALLEL := -n logical --maxprocesses 4 --dist worksteal

.PHONY: help run test test-slow test-modern image test-image lint docs clean
.DEFAULT_GOAL := help

help: ## says what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

run: ## makes .venv and the sample data, then trains, evaluates and pushes a model
	@scripts/bootstrap run
	@$(BIN)/segpipe sample-data build/sample-data
	@$(BIN)/segpipe run pipeline/configs/sample.yaml $(ARGS)

test test-slow test-modern: export TF_CPP_MIN_LOG_LEVEL ?= 2 # warnings and errors, not TensorFlow's notes on the processor

test: ## makes .venv with what the tests need, then runs them
	@scripts/bootstrap test
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-slow: ## the tests that take longer
	@scripts/bootstrap test
	@$(BIN)/python -m pytest -m slow $(ARGS)

test-modern: ## the tests on the tfx-1.21 set, in a Debian 13 root (debootstrap or Docker)
	@scripts/test-modern $(ARGS)

image: ## the container image of all steps; IMAGE=… names it, GPU=1 with CUDA's libraries
	@IMAGE='$(IMAGE)' GPU='$(GPU)' scripts/image $(ARGS)

test-image: ## the image in containers, without network, root or a writable system
	@scripts/bootstrap test
	@IMAGE='$(IMAGE)' scripts/test-image $(ARGS)

lint: ## ruff and mypy
	@scripts/bootstrap test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: ## the docs as a site in build/site; ends with an error for each dead link
	@scripts/bootstrap test
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build $(ARGS)

clean: ## removes what make has made: .venv, build/ and caches; runs/ stays
	@rm -rf --one-file-system $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -not -path './runs/*' -prune -exec rm -rf {} +
