# The commands for users; continuous integration runs the same ones.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := true
export GX_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: help install demo real folds external encoder ablations serve deploy stop test long coverage fuzz audit check clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: .venv/installed ## run the whole pipeline on the embedded demo corpora, offline, CPU only
	env -u CGDMER_RAW_ROOT HF_HUB_OFFLINE=1 python -m cgdmer pipeline
	python -m cgdmer --quiet table

install: .venv/installed ## install the pipeline into .venv

real: .venv/installed ## run it on local copies of the real corpora: make real CGDMER_RAW_ROOT=/data
	@test -n "$(CGDMER_RAW_ROOT)" || { echo "make real CGDMER_RAW_ROOT=/folder/with/ptbxl/cpsc2018/csn" \
	  "CGDMER_PROTOCOL_ROOT=/folder/with/merl_splits"; exit 2; }
	python -m cgdmer --quiet profile real
	dvc repro
	python -m cgdmer --quiet table

folds: .venv/installed ## cross-validate on a real PTB-XL, after make demo: make folds CGDMER_RAW_ROOT=/data
	@test -n "$(CGDMER_RAW_ROOT)" || { echo "make folds CGDMER_RAW_ROOT=/folder/with/ptbxl"; exit 2; }
	HF_HUB_OFFLINE=1 python -m cgdmer folds

external: .venv/installed ## evaluate on every set of real recordings, after make demo: make external CGDMER_RAW_ROOT=/data
	@test -n "$(CGDMER_RAW_ROOT)" || { echo "make external CGDMER_RAW_ROOT=/folder/with/ptbxl/ludb/code15"; exit 2; }
	HF_HUB_OFFLINE=1 python -m cgdmer external-validation --encoders cgdmer_base,cgdmer

encoder: .venv/installed ## train the encoder that the package ships, and package it; on two cores: make encoder CGDMER_DEVICES=2
	python -m cgdmer train-encoder
	python -m cgdmer --quiet profile probes
	dvc repro shards@ptb_xl shards@cpsc2018 shards@csn
	python -m cgdmer package
	python -m cgdmer --quiet profile demo

test: .venv/installed-dev ## run the tests
	pytest -n auto --dist loadgroup

long: .venv/installed-dev ## run the tests that kill stages, fill disks, start servers and install the package: minutes
	pytest -n auto --dist loadgroup -m long

coverage: .venv/installed-dev ## run the tests and fail below 90 % of lines and branches
	coverage erase
	pytest -n auto --dist loadgroup -m "long or not long" --cov --cov-report=term:skip-covered

fuzz: .venv/installed-dev ## feed 100,000 damaged inputs to every reader: minutes
	CGDMER_FUZZ_CASES=$${CGDMER_FUZZ_CASES:-100000} pytest tests/fuzz

audit: .venv/installed-dev ## look for known vulnerabilities in the pinned packages; needs a network
	python -m venv .cgdmer/audit
	.cgdmer/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	.cgdmer/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

check: .venv/installed-dev ## lint, format, types and layers
	ruff check .
	ruff format --check .
	mypy
	lint-imports

ablations: .venv/installed ## run the method without one component at a time: make ablations [PROFILES='a b']
	python -m flows.ablations $(PROFILES)

serve: .venv/installed ## start Prefect, MLflow and a worker on this machine, in the background
	python -m flows.serving start

deploy: .venv/installed ## register the deployments of prefect.yaml
	python -m flows.provision
	prefect --no-prompt deploy --all

stop: .venv/installed ## stop what `make serve` started
	python -m flows.serving stop

clean: ## remove the pipeline's outputs; keep raw data, the shipped encoder's training, and what flows and servers wrote
	test ! -e .cgdmer/serve/processes.json || python -m flows.serving stop
	rm -rf data/index data/shards data/pretraining_set.json data/models/pretrain data/embeddings data/predictions
	rm -rf data/robustness data/zero_shot .cgdmer/verified

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cgdmer needs Python 3.11 or newer; choose one: make demo PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pipeline]'
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt .venv/installed
	python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
