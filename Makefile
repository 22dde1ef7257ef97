# make up     from a fresh machine to the running product   (PORT=8080, OPERATOR_PORT=8081)
# make test   everything that the tests need, then every test
.PHONY: up down clean test check bench lock

PYTHON := .venv/bin/python
PORT ?= 8080
OPERATOR_PORT ?= 8081
PROCESSES ?= $(shell nproc)
CHECKED := src tests bench devcloud

up: .venv/.ready
	@$(PYTHON) -m devcloud up --port $(PORT) --operator-port $(OPERATOR_PORT)

down:
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m devcloud down; fi

clean: down
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m devcloud clean; fi

test: .venv/.ready
	@scripts/browser
	@$(PYTHON) -m pytest -n $(PROCESSES) --dist loadgroup

check: .venv/.ready
	@$(PYTHON) -m ruff format --check --quiet $(CHECKED)
	@$(PYTHON) -m ruff check --quiet $(CHECKED)
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@$(PYTHON) -m pytest -q -n 0 tests/docs tests/database/test_census.py

bench: .venv/.ready
	@$(PYTHON) -m bench

# Resolves the newest versions that pyproject.toml admits. The lock files name no registry.
lock:
	@.venv/bin/uv pip compile --quiet --universal --generate-hashes --upgrade pyproject.toml -o requirements.lock
	@.venv/bin/uv pip compile --quiet --universal --generate-hashes --upgrade --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@echo uv | .venv/bin/uv pip compile --quiet --universal --generate-hashes -c requirements-dev.lock - -o requirements-uv.lock

.venv/.ready: requirements-dev.lock requirements-uv.lock pyproject.toml scripts/bootstrap
	@scripts/bootstrap
	@touch $@
