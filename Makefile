# Two commands do all the set-up: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: run test test-browser test-services messages screenshots drill bench lint requirements clean

run: $(VENV)/.run
	@exec $(BIN)/python manage.py studio

# Three at once on two cores: much of it waits for processes.
test: $(VENV)/.test
	$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not browser and not service" $(ARGS)

# What needs Chromium; CI runs it too, and fails where Chromium is missing.
test-browser: $(VENV)/.test
	$(BIN)/python -m pytest -n 3 --dist load -m browser tests/browser $(ARGS)

# The suite on PostgreSQL, Redis and S3, whose servers it starts and ends (Debian: apt install postgresql redis-server).
# Left out is what knows neither database nor storage.
test-services: $(VENV)/.test
	$(BIN)/python -m tests.servers $(BIN)/python -m pytest -n 3 --dist loadgroup -m "not browser and not pure" \
		--ignore tests/luma --ignore tests/sandbox --ignore tests/test_architecture.py $(ARGS)

drill: $(VENV)/.test
	$(BIN)/python -m tests.drill $(ARGS)

screenshots: $(VENV)/.test
	$(BIN)/python -m tests.screenshots docs

messages: $(VENV)/.test
	$(BIN)/python -m tests.catalogue

# Ratios, never bare seconds; nothing else should go on meanwhile. The README has the last table.
bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/djade --check --target-version 5.2 $$(find templates -name '*.html')

# The stamps are newer than the requirements that they stand for: so nothing is installed twice.
$(VENV)/.run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: PYTHON=python3.12 make run")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.test: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: PYTHON=python3.12 make test")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements-dev.txt
	@touch $@

requirements: $(VENV)/.test
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-options --no-header -o requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-options --no-header --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml

clean:
	rm -rf $(VENV)
