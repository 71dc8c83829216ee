# make run PHOTOS=~/Pictures    watch that folder; the page is at http://localhost:5000/
# make test                     the test suite
# make test-slow                what takes long: the service killed again and again, tables of faults
# make setup | check | bench | screenshots | clean

# The first of these that is Python 3.11 or newer makes the environment.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
BROWSERS := chromium chromium-browser google-chrome
VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --quiet
NPX := npm_config_ignore_scripts=true npx --yes
ESLINT := 9.39.5
PRETTIER := 3.10.1

export PHOTOS
# Where compiled modules may not be kept, each program that starts compiles 250 of them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup run test test-slow check check-python check-js bench bench-compress screenshots screens icons clean attacks deb wheels fault-table soak-sort faults kill-soak mutate fuzz race soak size size-index tables originality places model
.DEFAULT_GOAL := setup

setup: $(VENV)/installed

run: setup
	@exec $(PYTHON) -m daemon $${PHOTOS:+--photos "$$PHOTOS"}

# ARGS are pytest's: make test ARGS="-k trash". One process more than cores: many tests wait for programs they started.
PYTEST := $(PYTHON) -m pytest -n $$(($$(nproc) + 1)) --dist worksteal

test: $(VENV)/installed-dev
	@for browser in $(BROWSERS); do command -v $$browser >/dev/null && found=1; done; \
	[ -n "$$found" ] || echo "No browser found ($(BROWSERS)): the tests of the web page are left out."; \
	exec $(PYTEST) -m "not slow" $(ARGS)

test-slow: $(VENV)/installed-dev
	$(PYTEST) -m slow $(ARGS)

check: check-python check-js

check-python: $(VENV)/installed-dev
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	$(PYTHON) tests/check_words.py

# The modules of the page, with the rules of eslint.config.js and the layout of Prettier. Only this needs Node.
check-js:
	@command -v npx >/dev/null || { echo "make check-js needs npx, a part of Node.js 18.18 or newer; it was not found." \
		"On Debian and Ubuntu: sudo apt install nodejs npm" >&2; exit 1; }
	$(NPX) eslint@$(ESLINT) webui/static eslint.config.js
	$(NPX) prettier@$(PRETTIER) --check "webui/static/**/*.js" eslint.config.js

# Each program of bench/ in turn, half an hour on two cores. PHOTOS=DIR: over photographs of yours, where one takes any.
bench: $(VENV)/installed-dev
	@echo "$$(date -I), $$(nproc) cores, $$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $$($(PYTHON) -V)"
	@for script in bench/[!_]*.py; do \
		[ -e "$$script" ] || { echo "There are no benchmarks." >&2; exit 1; }; \
		name=$$(basename "$$script" .py); echo "== $$name: $$(sed -n '1s/^"""//p' "$$script")"; \
		$(PYTHON) -u -m "bench.$$name" || failed="$$failed $$name"; \
	done; \
	[ -z "$$failed" ] || { echo "Failed:$$failed" >&2; exit 1; }

# The weights by which the original is found, fitted on a folder of photographs: make originality PHOTOS=~/Pictures
originality: $(VENV)/installed-dev
	$(PYTHON) -m fitting.originality "$$PHOTOS" --write

# The limits of what was added to a picture, fitted on a folder of photographs: make places PHOTOS=~/Pictures
places: $(VENV)/installed-dev
	$(PYTHON) -m fitting.places "$$PHOTOS" --write

# The model that ships, trained on a folder of photographs: half an hour or more on one core, and again where it was stopped.
# make model PHOTOS=DIR: build/model/default.onnx, to be put in place by hand. See docs/model-card.md.
STEPS := 400
MODEL := build/model

model: $(MODEL)/installed
	@[ -d "$$PHOTOS" ] || { echo "Name a folder of photographs: make model PHOTOS=DIR" >&2; exit 2; }
	$(MODEL)/venv/bin/python -m fitting.model.train "$$PHOTOS" --out $(MODEL) --steps $(STEPS)
	$(MODEL)/venv/bin/python -m fitting.model.export $(MODEL)/weights.pt "$$PHOTOS" --out $(MODEL)/default.onnx
	$(MODEL)/venv/bin/python -m fitting.model.limits $(MODEL)/default.onnx "$$PHOTOS" --out $(MODEL)/limits.json
	$(MODEL)/venv/bin/python -m fitting.model.measure $(MODEL)/default.onnx "$$PHOTOS"

# The tables of thresholds and the schema of the result file in docs/, from the structures in the code.
tables: $(VENV)/installed-dev
	PYTHONPATH=.:tests $(PYTHON) -m support.threshold_tables
	PYTHONPATH=.:tests $(PYTHON) -m support.result_schema

# Every attack that the page is tested against, alone, with a table of what happened to it.
attacks: $(VENV)/installed-dev
	$(PYTHON) -m pytest -q --attacks tests/webui tests/browser tests/daemon

# A Debian package, for this release and this processor: build/comparimg_*.deb
deb: setup
	packaging/deb

# Whether every pinned package has a wheel for both processors of the container, for its Python and its C library.
# Nothing is installed.
wheels: $(VENV)/bin/python
	@for machine in x86_64 aarch64; do \
		platforms="--platform manylinux2014_$$machine"; \
		for minor in 17 24 26 27 28; do platforms="$$platforms --platform manylinux_2_$${minor}_$$machine"; done; \
		$(PIP) install --dry-run --ignore-installed --no-deps --only-binary=:all: --target build/wheels \
			--python-version 3.11 --implementation cp $$platforms -r requirements.txt || exit 1; \
		echo "$$machine: a wheel for each package of requirements.txt"; \
	done

# Every fault that the service is tested against, alone, with a table of what happened to it.
faults: $(VENV)/installed-dev
	$(PYTHON) -m pytest -q --faults tests/index tests/daemon

# Every action of the journal under every fault; as root, also on full and read-only disks made for it.
fault-table: $(VENV)/installed-dev
	PYTHONPATH=.:tests $(PYTHON) -m support.faults
	PYTHONPATH=.:tests $(PYTHON) -m support.compress_faults

# Made-up people decide, sort, undo, edit, unplug and pull the plug for longer than in the tests: EXAMPLES=300
soak-sort: $(VENV)/installed-dev
	COMPARIMG_SOAK_EXAMPLES=$${EXAMPLES:-300} $(PYTHON) -m pytest tests/daemon/jobs/test_sort_machine.py

# Programs that run long, print what they did, and end with 1 where something did not hold.
# RUNS=300 SEED=1: the service is killed that often at random moments. FOLDER=DIR COUNT=10000 SEED=1: broken files made
# of those in a folder, through the running service. SECONDS=600: how long a fuzz and a soak last.
SOAK = PYTHONPATH=.:tests $(PYTHON) -m
RUNS := 300
SEED := 1
COUNT := 10000
ROUNDS := 10000
SECONDS := 600

kill-soak: $(VENV)/installed-dev
	$(SOAK) soak.kills --runs $(RUNS) --seed $(SEED)

# What 100,000 folders and 1,000,000 files, and 200,000 empty folders, cost to watch, to walk, to start over, and when
# nothing happens.
size: $(VENV)/installed-dev
	$(SOAK) soak.size

# What an index of IMAGES images and GROUPS groups costs, made of rows: IMAGES=2000000 GROUPS=300000
IMAGES := 2000000
GROUPS := 300000
size-index: $(VENV)/installed-dev
	$(SOAK) soak.size_index --images $(IMAGES) --groups $(GROUPS)

# An editor that saves a picture at random moments of every action that changes it: ROUNDS=10000
race: $(VENV)/installed-dev
	$(SOAK) soak.race --rounds $(ROUNDS) --seed $(SEED)

fuzz: $(VENV)/installed-dev
	$(SOAK) soak.fuzz --seconds $(SECONDS) --seed $(SEED)

soak: $(VENV)/installed-dev
	$(SOAK) soak.change --seconds $(SECONDS) --seed $(SEED)

mutate: $(VENV)/installed-dev
	@[ -n "$(FOLDER)" ] || { echo "Name a folder of files to break: make mutate FOLDER=DIR" >&2; exit 2; }
	$(SOAK) soak.mutate "$(FOLDER)" --count $(COUNT) --seed $(SEED)

# The pictures of the page in docs/, over landscapes drawn for it: look at them before they are committed.
screenshots: $(VENV)/installed-dev
	PYTHONPATH=.:tests $(PYTHON) tests/browser/screenshots.py

# Every screen at three sizes, in both languages and themes, with what a program finds wrong in them: build/screens/.
# make screens SCREENS="list pair": only these.
screens: $(VENV)/installed-dev
	PYTHONPATH=.:tests:tests/browser $(PYTHON) tests/browser/screen_matrix.py $(SCREENS)

# The icons of the installed page, from webui/static/icon.svg.
icons: $(VENV)/installed-dev
	$(PYTHON) tests/browser/icons.py

# PHOTOS="DIR...": pictures of yours instead of made ones
bench-compress: $(VENV)/installed-dev
	$(PYTHON) -m bench.compress $(PHOTOS)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@for candidate in $(PYTHONS); do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "ComparImg needs Python 3.11 or newer; none was found." >&2; exit 1; fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "Python's venv module is missing. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; \
	fi; \
	$$found -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# The stamps are touched last: what was interrupted is done again.
$(VENV)/installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what ComparImg needs into $(VENV): once, one or two minutes."
	$(PIP) install --no-deps -r requirements.txt
	$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "Installing what the tests need."
	$(PIP) install -r requirements-dev.txt
	@touch $@

$(MODEL)/installed: fitting/model/requirements.txt | $(VENV)/bin/python
	@echo "Installing what the model is trained with into $(MODEL)/venv: PyTorch, a gigabyte or more."
	$(PYTHON) -m venv $(MODEL)/venv
	$(MODEL)/venv/bin/pip --disable-pip-version-check --quiet install -r fitting/model/requirements.txt
	@touch $@
