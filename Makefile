# make up     from a fresh machine to the running product   (PORT=8080, OPERATOR_PORT=8081)
# make test   everything that the tests need, then every test
.PHONY: up down clean test test-kubernetes check bench lab lock

PYTHON := .venv/bin/python
PORT ?= 8080
OPERATOR_PORT ?= 8081
# Of pytest: there is always one that waits for something.
PROCESSES ?= $(shell expr $$(nproc) + 1)
CHECKED := src tests bench devcloud lab

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

# The contract of a Kubernetes cluster, tried on a real one: KUBECONFIG=... of its administrator.
test-kubernetes: .venv/.ready
	@test -n "$(KUBECONFIG)" || { echo "Say which cluster: make test-kubernetes KUBECONFIG=..." >&2; exit 2; }
	@PLATFORMA_TEST_KUBECONFIG="$(KUBECONFIG)" $(PYTHON) -m pytest -n 0 -p no:randomly tests/clouds/kubernetes/test_contract.py tests/clouds/kubernetes/test_refusals.py

bench: .venv/.ready
	@$(PYTHON) -m bench

# Frames between tenants on real network agents, on Debian 12 as root: docs/lab.md.
lab: .venv/.ready
	@$(PYTHON) -m lab

# Resolves the newest versions that pyproject.toml admits. The lock files name no registry.
lock:
	@.venv/bin/uv pip compile --quiet --universal --generate-hashes --upgrade pyproject.toml -o requirements.lock
	@.venv/bin/uv pip compile --quiet --universal --generate-hashes --upgrade --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade tests/clouds/kubernetes/analyzer/requirements.in -o tests/clouds/kubernetes/analyzer/requirements.lock
	@echo uv | .venv/bin/uv pip compile --quiet --universal --generate-hashes -c requirements-dev.lock - -o requirements-uv.lock

.venv/.ready: requirements-dev.lock requirements-uv.lock pyproject.toml scripts/bootstrap
	@scripts/bootstrap
	@touch $@
