# Scones Unlimited. `make` lists what can be made; `make run` and `make test` are all one needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PARLIAMENT := $(VENV)/parliament
AUDIT := $(VENV)/audit
NODE_READY := tests/node/node_modules/.ready
CHROMIUM := $(shell command -v chromium chromium-browser google-chrome 2>/dev/null | head -n 1)

# The dashboard opens the browser where there is a screen.
HEADLESS := $(if $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname -s)),false,true)

# What is acknowledged is kept: overwrites, kills, full disks and damaged files.
DURABILITY := $(addprefix tests/,localcloud/test_objects.py localcloud/test_process.py \
	localcloud/test_disk_full.py localcloud/test_damage.py \
	dashboard/shared/test_store.py dashboard/shared/test_damaged_files.py)

# Measuring coverage takes time that only CI has.
COVERAGE := $(if $(CI),--cov --cov-report=term)

# Some images set it. Every process would then compile all that it imports, which takes it seconds.
unexport PYTHONDONTWRITEBYTECODE

export STREAMLIT_BROWSER_GATHER_USAGE_STATS := false
export SAGEMAKER_TELEMETRY_OPT_OUT := true

.DEFAULT_GOAL := help
.PHONY: audit release soak help run demo screenshots check test nightly mutants lint format bench conformance bench-captures bench-drift bench-review bench-sessions bench-triage model lock browser node linters clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) ## Run the dashboard, on the embedded local cloud unless SCONES_CLOUD=aws
	$(BIN)/streamlit run dashboard/app.py --server.headless $(HEADLESS)

demo: $(READY) ## Deploy to the local cloud, fill it with two weeks of history, and run the dashboard
	$(BIN)/python -m dashboard.demonstration
	$(BIN)/streamlit run dashboard/app.py --server.headless $(HEADLESS)

screenshots: $(READY) browser ## Make the README's screenshots from the demonstration
	SCONES_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/journeys/test_demonstration.py

check: $(READY) lint ## Check style and types, and run the tests that need no process, browser or network
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/journeys \
		-m 'not cloud and not process and not journey and not node'

# Journeys wait for a browser: a third worker uses what two cores have left.
test: $(READY) browser node linters lint ## Run every check and test, browser tests included
	$(BIN)/python -m pytest -n 3 --dist worksteal $(COVERAGE)

nightly: $(READY) browser node linters lint ## Run every test, what goes by chance many times
	SCONES_NIGHTLY=1 $(BIN)/python -m pytest -n 3 --dist worksteal

soak: $(READY) ## Load, 50,000 executions, 200 kills and all damage, to their bars: make soak SECONDS=60 EXECUTIONS=500 KILLS=4
	$(BIN)/python -m benchmarks.sessions --sessions $(or $(SESSIONS),50) --seconds $(or $(SECONDS),600) \
		--records 1000000 --executions 100000 --think 5 --limit 60 --p95 1
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.executions_soak --executions $(or $(EXECUTIONS),50000)
	$(BIN)/python -m benchmarks.kills --kills $(or $(KILLS),200)
	SCONES_NIGHTLY=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(DURABILITY)

mutants: $(READY) ## Make 150 random changes in workflow/, which a test has to notice: make mutants COUNT=300 SEED=2
	@$(BIN)/uv pip install -q -p $(VENV) -e '.[mutants]' \
		|| { echo "Could not install mutmut, which makes the changes: nothing was tested"; exit 1; }
	$(BIN)/python -m tools.mutants $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

lint: $(READY) ## Check style and types, those of tests and benchmarks too
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## Measure everything: executions, captures, inferences, plan, classifier
	@for benchmark in executions definitions captures inferences executions_sync triage plan classifier; do \
		echo "== $$benchmark"; $(BIN)/python -m benchmarks.$$benchmark || exit 1; done

conformance: $(READY) ## Run definitions whose outcome is known: make conformance RECORDED=file
	$(BIN)/python -m benchmarks.conformance $(RECORDED)

bench-captures: $(READY) ## Measure the capture reader and its sync beside their peers and limits
	$(BIN)/uv pip install -q -p $(VENV) -e '.[bench]'
	$(BIN)/python -m benchmarks.captures

# evidently does not import beside pandas 3, so it has an environment of its own.
bench-drift: $(READY) ## Measure false alarms and power of the drift test beside evidently's
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(VENV)/evidently
	@$(BIN)/uv pip install --quiet --python $(VENV)/evidently 'evidently==0.7.23' 'pandas<3' \
		|| { echo "Could not install evidently: it is left out"; rm -rf $(VENV)/evidently; }
	$(BIN)/python -m benchmarks.drift $(if $(SEEDS),--seeds $(SEEDS))

bench-review: $(READY) ## Measure intervals of accuracy over 200 seeds, draws, labels and batches
	$(BIN)/python -m benchmarks.review $(if $(SEEDS),--seeds $(SEEDS))
	$(BIN)/python -m benchmarks.batches

bench-sessions: $(READY) ## Measure 20 readers over all views for two minutes: make bench-sessions SESSIONS=30
	$(BIN)/python -m benchmarks.sessions $(if $(SESSIONS),--sessions $(SESSIONS))

bench-triage: $(READY) ## Measure the sync of executions under quota and the grouping of failures
	$(BIN)/python -m benchmarks.executions_sync
	$(BIN)/python -m benchmarks.triage

model: $(READY) ## Train the classifier again: make model DATA=folder NEITHER=folder
	$(BIN)/python -m pip install -q -e '.[model]'
	$(BIN)/python -m deploy.model.train \
		$(if $(DATA),--data-dir $(DATA)) $(if $(NEITHER),--neither-dir $(NEITHER))
	$(BIN)/python -m deploy.model.card

# The tools of the audit have an environment of their own: they are no part of what they audit.
audit: $(READY) ## Look for known vulnerabilities, check licences, and write dist/sbom.json (CycloneDX)
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(AUDIT)
	@$(BIN)/uv pip install --quiet --python $(AUDIT) 'pip-audit>=2.9' 'pip-licenses>=5' 'cyclonedx-bom>=7'
	@mkdir -p build dist && rm -f build/vulnerabilities.json
	@$(AUDIT)/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-file dist/sbom.json
	@$(AUDIT)/bin/pip-licenses --python $(BIN)/python --from mixed --format json --output-file build/licences.json >/dev/null
	@-$(AUDIT)/bin/pip-audit -r requirements.lock --require-hashes --disable-pip --progress-spinner off \
		--timeout 10 --format json --output build/vulnerabilities.json >/dev/null 2>&1
	@$(BIN)/python -m tools.audit build/vulnerabilities.json build/licences.json

release: $(READY) lint ## Release what is committed: version, changelog, wheel, sdist, tag: make release VERSION=1.2.3
	$(BIN)/python -m tools.release '$(VERSION)' $(BIN)/uv build --quiet --out-dir dist

lock: ## Resolve requirements.lock again, for Python 3.11 to 3.13
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes \
		--no-header --quiet --output-file requirements.lock

# What a fresh machine lacks. Each step says what it does, and what it could not do.

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (a minute with a warm package cache, a few without)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11 to 3.13 is needed; name one with: make PYTHON=python3.13"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

browser:
ifeq ($(CHROMIUM),)
	@echo "No Chromium found; installing one for the browser tests"
	@{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } \
		|| $(BIN)/playwright install chromium \
		|| echo "Could not install Chromium: the browser tests will be skipped"
endif

node:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE_READY) \
		|| echo "Could not install the Node.js packages: the tests that need them will be skipped"; \
	else echo "No Node.js found: the second interpreter and asl-validator will be skipped"; fi

# parliament needs a setuptools of its own, older than anything else here.
linters: $(READY)
	@test -x $(PARLIAMENT)/bin/parliament || { \
		$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(PARLIAMENT) \
		&& $(BIN)/uv pip install --quiet --python $(PARLIAMENT) 'parliament==1.6.4' 'setuptools<81'; } \
		|| echo "Could not install parliament: the IAM linter will be skipped"

$(NODE_READY): tests/node/package.json tests/node/package-lock.json
	@cd tests/node && npm ci --silent --no-audit --no-fund
	@touch $@

clean: ## Remove what was built; keep .localcloud and .scones, which hold your data
	rm -rf $(VENV) tests/node/node_modules .mypy_cache .ruff_cache .pytest_cache .coverage* mutants
