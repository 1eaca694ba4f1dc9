# From a clone: `make demo` opens JupyterLab on the first notebook, `make test` runs every check.
PYTHON ?= python3
PYTHON313 ?= python3.13
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints-ci.txt
UNIT := $(PY) -m pytest -q -n auto --maxprocesses 4 --ignore=tests/kernel --ignore=tests/browser --ignore=tests/notebooks
NODE_STAMP := js/node_modules/.package-lock.json
# Each file tests/browser/environments/HOST-VARIANT.txt or HOST.txt is an environment of its own for the browser tests.
HOSTS := .venv-hosts
ENVIRONMENTS := $(basename $(notdir $(wildcard tests/browser/environments/*.txt)))
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test test-colab check lint fast slow js kernel browser test-hosts notebooks notebooks-run real long wheel bundle docs pictures readme-animation study-landmarks bench fuzz heads-data heads-train heads-judge clean

demo: $(VENV)/.demo
	$(PY) tools/demo.py $(if $(HEADLESS),--headless)

test: check slow docs kernel real browser notebooks fuzz wheel

check: lint fast js

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports --no-cache

fast: $(VENV)/.dev
	$(UNIT) -m "not slow and not real"

slow: $(VENV)/.dev $(NODE_STAMP)
	$(UNIT) -m "slow and not real"

test-colab: .venv-colab/.colab
	.venv-colab/bin/python -m pytest -q -n auto --maxprocesses 4 --ignore=tests/kernel --ignore=tests/browser --ignore=tests/notebooks -m "not real"
	.venv-colab/bin/python -m pytest -q tests/kernel

kernel: $(VENV)/.dev
	$(PY) -m pytest -q tests/kernel

long: $(VENV)/.dev
	$(PY) -m pytest -q --long tests/engine/test_official.py

real: $(VENV)/.dev
	$(PY) -m pytest -q -m real --ignore=tests/kernel --ignore=tests/browser --ignore=tests/notebooks

browser: $(VENV)/.dev $(NODE_STAMP) $(HOSTS)/nbclassic/.built
	$(PY) -m pytest -q -n 2 --dist worksteal tests/browser
	$(HOSTS)/nbclassic/bin/python -m pytest -q --host nbclassic tests/browser/test_hosts.py

test-hosts: $(ENVIRONMENTS:%=test-host-%) test-host-colab

test-host-%: $(HOSTS)/%/.built
	$(HOSTS)/$*/bin/python -m pytest -q --host $(firstword $(subst -, ,$*)) tests/browser/test_hosts.py tests/browser/test_keys.py

test-host-marimo: $(HOSTS)/marimo/.built
	$(HOSTS)/marimo/bin/python -m pytest -q tests/browser/test_marimo.py

test-host-colab: .venv-colab/.colab
	cd tests/browser/colab_page && npm ci --no-audit --no-fund --loglevel=error
	.venv-colab/bin/python -m pytest -q tests/browser/test_colab_page.py

notebooks: $(VENV)/.dev
	$(PY) -m pytest -q tests/notebooks

notebooks-run: $(VENV)/.dev
	$(PY) tools/notebooks.py

wheel: $(VENV)/.dev
	$(PY) tools/check_wheel.py

fuzz: $(VENV)/.dev
	$(PY) -m tests.checkpoints.fuzz --seconds 60

js: $(NODE_STAMP)
	cd js && npm run --silent check

bundle: $(NODE_STAMP)
	cd js && npm run --silent build

bench: $(VENV)/.dev
	for px in 256 512 1024; do $(PY) -m benchmarks.step --resolution $$px --json bench/step-$$px.json || exit 1; done

study-landmarks: $(VENV)/.dev
	$(PIP) -e '.[study]'
	$(PY) -m benchmarks.landmarks

heads-data: $(VENV)/.training
	$(PY) -m heads_training.render.dataset heads_training/runs/train --count 62000 --seed 0
	$(PY) -m heads_training.render.dataset heads_training/runs/held --count 2000 --seed 1

heads-train: $(VENV)/.training
	$(PY) -m heads_training.train heads_training/runs/heads --data heads_training/runs/train
	$(PY) -m heads_training.export heads_training/runs/heads heads_training/runs/heads.safetensors --drag-rows 4 --drag-defaults \
		'{"block": 3, "learning_rate": 0.01, "supervision_radius": 3, "tracking_radius": 6, "step_length": 1, "stop_distance": 1}'

heads-judge: $(VENV)/.training
	$(PY) -m heads_training.regressor heads_training/runs/regressor --data heads_training/runs/train
	$(PY) -m heads_training.judge draggan_widget/generators/bundled/heads.safetensors --held-out heads_training/runs/held \
		--train heads_training/runs/train --regressor heads_training/runs/regressor/regressor.safetensors --out heads_training/runs/judged

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet

pictures: $(VENV)/.dev
	$(PY) tools/pictures.py

readme-animation: $(VENV)/.dev
	$(PY) tools/readme_animation.py

$(NODE_STAMP): js/package.json js/package-lock.json
	cd js && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/.torch: constraints-ci.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "draggan-widget needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": call make PYTHON=/path/to/python3.11")'
	@echo "Building $(VENV): torch (200 MB for the CPU, gigabytes where pip takes its CUDA build), then JupyterLab"
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[lab]'
	@touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.demo

.venv-colab/.colab: tests/hosts/colab-2026-08.txt pyproject.toml
	@echo "Building .venv-colab: the packages of Google Colab, gigabytes where pip takes torch's CUDA build"
	$(PYTHON313) -m venv .venv-colab
	.venv-colab/bin/python -m pip install --quiet --disable-pip-version-check -r tests/hosts/colab-2026-08.txt -e .
	@touch $@

$(VENV)/.training: $(VENV)/.dev
	$(PIP) -e '.[training]'
	@touch $@

.PRECIOUS: $(HOSTS)/%/.built
$(HOSTS)/%/.built: tests/browser/environments/%.txt tests/browser/environments/tests.in pyproject.toml
	rm -rf $(HOSTS)/$*
	$(PYTHON) -m venv $(HOSTS)/$*
	$(HOSTS)/$*/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(HOSTS)/$*/bin/pip install --quiet --disable-pip-version-check -e . -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(HOSTS) .venv-colab js/node_modules dist demo site
