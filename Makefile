# What a developer types. `make help` lists it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
NANNYML := $(VENV)/nannyml/nannyml-0.13.1-py3-none-any.whl

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
# $(call install,VENV,EXTRA,CONSTRAINTS) says what pip does, and how far it is, now and then.
install = @echo "packages for $(2) go into $(1): two or three minutes the first time"; \
	PIP_CONSTRAINT=$(3) $(1)/bin/python -m pip install --disable-pip-version-check \
	--editable '.[$(2)]' | $(SAID)
SAID := awk '/^Collecting / && ++n % 25 == 0 { print "  " n " packages found" } \
	/^Installing collected/ { print "  installing " NF - 3 " packages: a minute or so" } { fflush() }'

.DEFAULT_GOAL := help
.PHONY: help demo test soak mutants core warehouses dialects lint format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/demo ## Watch a real model on real flights, from its logs to the message
	$(BIN)/python -m flights

test: $(VENV)/test $(NANNYML) ## Run the tests, on real PostgreSQL, DuckDB and SQLite
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

soak: $(VENV)/test mutants ## Fuzz, kills and load in full, and the mutants
	$(BIN)/python -m pytest -n $(WORKERS) --soak --timeout 3600

mutants: $(VENV)/mutants ## Whether the tests see small faults: hours
	$(BIN)/python benchmarks/mutants.py --workers $(WORKERS)

warehouses: $(VENV)/warehouses $(VENV)-s3/bin/moto_server ## Run them on ClickHouse, Spark and S3
	$(BIN)/python -m pytest -n 0 --warehouses=clickhouse,spark,s3 tests/warehouse

core: $(VENV)-engines/made ## A core of them on ClickHouse and Spark: minutes
	$(VENV)-engines/bin/python -m pytest -m core --warehouses=clickhouse,spark tests/warehouse

dialects: $(VENV)-dialects/made ## Write the SQL of warehouses that cannot run here, and parse it
	$(VENV)-dialects/bin/python -m pytest --noconftest tests/warehouse/test_sql.py

lint: $(VENV)/lint ## Check style, types and import boundaries
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 0 tests/test_boundaries.py

format: $(VENV)/lint ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what the targets made
	rm -rf $(VENV) $(VENV)-dialects $(VENV)-engines $(VENV)-s3 .demo .mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The drivers of Snowflake, BigQuery and Databricks want two packages older than all others do.
OLDER := protobuf==6.33.6 python-dateutil==2.9.0.post0

$(VENV)-dialects/made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-dialects
	grep -Ev '^(protobuf|python-dateutil)==' constraints.txt > $(VENV)-dialects/constraints.txt
	printf '%s\n' $(OLDER) >> $(VENV)-dialects/constraints.txt
	$(call install,$(VENV)-dialects,dialects,$(VENV)-dialects/constraints.txt)
	@touch $@

# ClickHouse in the process and a Spark to start: two gigabytes, beside what the tests use.
$(VENV)-engines/made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-engines
	$(call install,$(VENV)-engines,engines,constraints.txt)
	@touch $@

# An S3 server that the tests start where they find it: boto3 wants an older dateutil, too.
$(VENV)-s3/bin/moto_server:
	$(PYTHON) -m venv $(VENV)-s3
	$(VENV)-s3/bin/python -m pip install --quiet --disable-pip-version-check 'moto[server,s3]==5.2.5'

# The data of NannyML's tutorials, which the estimates are checked with; it is not installed.
$(NANNYML): $(BIN)/python
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --dest $(@D) \
		nannyml==0.13.1
	@touch $@

# One stamp an extra: what is installed is installed again only when the pins change. Some hold others.
HELD_BY_test := demo
HELD_BY_lint := test demo
HELD_BY_mutants := test demo
HELD_BY_warehouses := test demo
$(addprefix $(VENV)/,demo test warehouses lint mutants): $(VENV)/%: $(BIN)/python pyproject.toml constraints.txt
	$(call install,$(VENV),$*,constraints.txt)
	@touch $@ $(addprefix $(VENV)/,$(HELD_BY_$*))
