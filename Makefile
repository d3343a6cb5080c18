# NBA Daily. `make` alone lists what it can do. Needs only make and Python 3.11 to 3.14.
# Paths stay relative, so that a checkout below a folder with spaces in its name works.

PYTHON ?=
PORT ?=
ARGS ?=
FOLDER ?= screenshots
SEASON ?=
DATA ?=
YARDSTICKS ?=
VENV = .venv
PY = $(VENV)/bin/python
# Threads that spin while they wait take the processor from each other as soon as anything else
# runs: a training beside four busy processes took 66 s instead of 12.
export OMP_WAIT_POLICY = passive

# A test that stands still longer than any may, even where Python cannot be interrupted, ends with the
# stack of every thread.
PYTEST = OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal -o faulthandler_exit_on_timeout=true
PIP_INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check

.SUFFIXES:
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test soak simulate bench-state bench-screens backtest train check format screenshots pins clean

help: ## list the targets
	@echo "NBA Daily"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)$$/\1|\2/p' Makefile | while IFS='|' read -r target words; do \
		printf '  make %-13s %s\n' "$$target" "$$words"; done
	@echo "Variables: PYTHON=python3.12  PORT=8600  ARGS='words passed on'  FOLDER=screenshots"
	@echo "           SEASON='2023-24 2024-25'  DATA=folder  YARDSTICKS=folder"

run: $(VENV)/installed-app ## install what the app needs and serve it on 127.0.0.1
	@exec $(PY) -m streamlit run streamlit_app.py --server.address 127.0.0.1 \
		--client.showErrorDetails full \
		$(if $(PORT),--server.port $(PORT)) -- --local-owner $(ARGS)

test: $(VENV)/installed-dev ## run the tests with coverage (about forty minutes on two cores)
	@$(PYTEST) -o faulthandler_timeout=660 --cov --cov-report=term --cov-fail-under=90 $(ARGS)

soak: $(VENV)/installed-dev ## run the tests that take longer
	@$(PYTEST) -o faulthandler_timeout=1900 -m soak $(ARGS) || { code=$$?; [ "$$code" -eq 5 ] || exit "$$code"; \
		echo "No test is marked soak yet."; }

simulate: $(VENV)/installed-dev ## run the engine's simulation (ARGS='--seeds 5000' or '--seed 17 --trace')
	@$(PY) -m tests.simulation $(ARGS)

bench-state: $(VENV)/installed-dev ## measure the engine beside whole-file uploads (LITESTREAM=binary: too)
	@$(PY) benchmarks/state.py $(ARGS)

bench-screens: $(VENV)/installed-dev ## measure pages with 100 thousand and a million predictions
	@$(PY) -m benchmarks.screens $(ARGS)

backtest: $(VENV)/installed-dev ## replay seasons and score them (SEASON=2024-25, DATA=folder for other games)
	@[ -n "$(SEASON)" ] || { echo "Say which season: make backtest SEASON=2024-25" >&2; exit 2; }
	@$(PY) -m benchmarks.backtest $(SEASON) $(if $(DATA),--data "$(DATA)") \
		$(if $(YARDSTICKS),--yardsticks "$(YARDSTICKS)") $(ARGS)

train: $(VENV)/installed-dev ## train the model that comes with the app anew (DATA=folder for other games)
	@$(PY) -m nba.model $(if $(DATA),--data "$(DATA)") $(ARGS)

check: $(VENV)/installed-dev ## ruff and mypy --strict over everything
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: $(VENV)/installed-dev ## let ruff put the code in order
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

screenshots: $(VENV)/installed-dev ## take pictures of every screen (FOLDER=docs/images ARGS=--readme for README's)
	@$(PY) -m tests.screenshots "$(FOLDER)" $(ARGS)

pins: $(PY) ## renew requirements*.txt from requirements*.in (ARGS=--upgrade for newer ones)
	@$(PIP_INSTALL) uv
	@for name in requirements requirements-dev; do \
		$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --no-header \
			--no-emit-index-url --no-emit-find-links $(ARGS) -o "$$name.txt" "$$name.in" || exit 1; \
		{ echo "# The whole tree that $$name.in asks for, pinned; made by \`make pins\`."; \
			cat "$$name.txt"; } > "$$name.new" && mv "$$name.new" "$$name.txt" || exit 1; \
	done

clean: ## remove the virtual environment and what tests and checks leave behind
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage .coverage.*
	rm -rf benchmarks/.cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed-app: requirements.txt | $(PY)
	@echo "Installing what the app needs (once, and when requirements.txt changes) …"
	@$(PIP_INSTALL) -r requirements.txt
	@touch "$@"

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed-app | $(PY)
	@echo "Installing what tests and checks need (once, and when requirements-dev.txt changes) …"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch "$@"

# A Python that was removed leaves a dangling link, which make takes for absent; what was
# installed for it is then no longer valid, however new its stamp.
ifneq ($(shell test -x $(PY) && echo there),there)
.PHONY: $(VENV)/installed-app $(VENV)/installed-dev
endif

$(PY):
	@suits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'; \
	found=; \
	for name in $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11); do \
		if "$$name" -c "$$suits" >/dev/null 2>&1; then found="$$name"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "NBA Daily needs Python 3.11 to 3.14, and $(if $(PYTHON),PYTHON=$(PYTHON) is none,none was found)." >&2; \
		echo "  Debian, Ubuntu, WSL:  sudo apt-get install python3 python3-venv" >&2; \
		echo "  Fedora:               sudo dnf install python3" >&2; \
		echo "  macOS:                brew install python@3.13" >&2; \
		echo "Installed under another name? Say so: make PYTHON=/path/to/python3.12 …" >&2; \
		exit 1; \
	fi; \
	version=$$("$$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	if ! "$$found" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
		echo "Python $$version at $$(command -v "$$found") cannot make virtual environments." >&2; \
		echo "  Debian, Ubuntu, WSL:  sudo apt-get install python$$version-venv" >&2; \
		echo "  Fedora:               sudo dnf install python3-pip" >&2; \
		echo "  macOS:                brew install python@$$version" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with Python $$version …"; \
	"$$found" -m venv --clear $(VENV)
