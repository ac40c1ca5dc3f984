PYTHON ?= python3
BIN := .venv/bin

.PHONY: install install-dev install-fuzz demo test test-browser test-host lint check bench fuzz pictures dist lock clean

install: .venv/installed
install-dev: .venv/installed-dev
install-fuzz: .venv/installed-fuzz

.venv/installed: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

.venv/installed-fuzz: requirements-fuzz.txt .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	touch $@

demo: install
	$(BIN)/python -m tests.demo

test: install-dev
	$(BIN)/python -m pytest -n 4 --dist worksteal

# In Debian's chromium.
test-browser: install-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests/browser

# On Debian machines of its own (as root, with debootstrap and systemd-nspawn), on each Python that is here, in images:
# half an hour, with the network.
test-host: install-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests/host

lint: install-dev
	$(BIN)/ruff format --check bot tests hatch_build.py
	$(BIN)/ruff check bot tests hatch_build.py
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

check: lint
	$(BIN)/python -m pytest -m "not slow and not postgres and not npm" -n 4 --dist worksteal

bench: install-dev
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m pytest -n 2 tests/benchmarks/growth

# Five minutes for each reader of what strangers and models write (CPython 3.11 to 3.13 on Linux).
fuzz: install-fuzz
	$(BIN)/python -m tests.fuzz

# The pictures of README, in Debian's chromium.
pictures: install-dev
	$(BIN)/python -m tests.tools.pictures

# Wheel, sdist, SBOM and SHA256SUMS of the commit that is checked out: the same bytes each time.
dist: install-dev
	rm -rf dist
	$(BIN)/python -m tests.tools.release dist dist

# Needs uv (https://docs.astral.sh/uv/).
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --custom-compile-command "make lock" requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --custom-compile-command "make lock" requirements-dev.in -o requirements-dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --custom-compile-command "make lock" requirements-fuzz.in -o requirements-fuzz.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --custom-compile-command "make lock" requirements-build.in -o requirements-build.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --custom-compile-command "make lock" requirements-aws.in -o requirements-aws.txt

clean:
	rm -rf .venv node_modules dist
