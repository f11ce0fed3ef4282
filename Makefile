# With uv when it is there, else with a virtual environment and pip. Nothing else is assumed.

ifneq ($(shell command -v uv 2>/dev/null),)
RUN = uv run
READY =
else
RUN = PATH="$(CURDIR)/.venv/bin:$$PATH"
READY = .venv/ready
endif

.DEFAULT_GOAL = help
SECS = 300

.PHONY: help demo test soak faults bench bench-quick check audit features schema format clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## See thousands of jobs go through a PostgreSQL that comes along
	$(RUN) cuckmq demo

test: $(READY) ## Run the tests
	$(RUN) pytest

soak: $(READY) ## Work under faults and be judged, with SECS=600 SEED=7
	$(RUN) python -m tests.reliability.soak --secs $(SECS) $(if $(SEED),--seed $(SEED))

faults: $(READY) ## Play every fault of docs/faults.md, and write down the recoveries
	$(RUN) python -m tests.reliability.catalogue

bench: $(READY) ## Measure everything beside other queues, and draw docs/performance.md
	$(RUN) python -m benchmarks $(if $(ONLY),--only $(ONLY))

bench-quick: $(READY) ## Measure ratios of our own, in less than a minute
	$(RUN) python -m benchmarks --quick

check: $(READY) ## Lint, format check, types, floors
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) pyright
	$(RUN) lint-imports

audit: $(READY) ## Ask PyPI for advisories on what cuckmq needs
	$(RUN) python -m tests.packaging.audit

features: $(READY) ## Print each row of docs/features.md with its tests
	$(RUN) python -m tests.support.features

schema: $(READY) ## Write migrations/schema.txt anew, after a change of the schema
	$(RUN) python -m tests.migrations.dump

format: $(READY) ## Write the code as ruff likes it
	$(RUN) ruff check --fix
	$(RUN) ruff format

clean: ## Remove what was made here, the embedded database excepted
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

.venv/ready: pyproject.toml
	python3 -m venv .venv
	.venv/bin/pip install --quiet --editable '.[dev]'
	touch $@
