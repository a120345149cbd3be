# make train    trains on MNIST and saves model.npz
# make test     runs the tests
# make check    runs the quick ones, in less than two minutes
# make lint     checks names, imports, types and the form of Python, C++ and JavaScript (the last where npm is)
# make format   writes all files in that form
# make notebook opens the lesson, docs/lesson.ipynb, in JupyterLab
# make lesson   makes that notebook from docs/lesson.py, executed
# make docs     makes the documentation site, build/docs/index.html
# make fuzz     feeds hostile files to every reader: docs/faults.md
# make soak     kills a long training again and again, and compares it with one left alone
# make interrupts  presses Ctrl-C at many moments of first starts
# make sanitize runs the kernels and the compiled Ops under sanitizers, by GCC and by Clang
#
# All of them make .venv first, with the newest CPython from 3.10 on that is installed (PYTHON=... names
# another) and the versions of requirements/: what training needs for `make train`, the rest for the others.
# Where there is no such CPython, uv (from PyPI, in an environment of its own) fetches one.

.PHONY: train test check lint format pictures notebook lesson docs lasagne-tests theano-tests fuzz soak interrupts sanitize clean
.DEFAULT_GOAL := train

SHELL := /bin/bash
BIN := .venv/bin

train: .venv/train
	$(BIN)/python scripts/train.py --epochs 5 --batch-size 50

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not browser and not gpu" $(PYTEST_ARGS)

PYTHON_FILES := mnist_cnn scripts tests docs build_backend setup.py
CPP_FILES := $(wildcard mnist_cnn/fused/csrc/*/*.h tests/fused/*.cpp)
PAGE_FILES := "mnist_cnn/**/*.{js,css}" "*.{mjs,json}"
NPM := $(shell command -v npm)

lint: .venv/installed $(if $(NPM),node_modules/installed)
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/ruff format --check $(PYTHON_FILES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/clang-format --dry-run --Werror $(CPP_FILES)
	$(if $(NPM),npx eslint mnist_cnn && npx prettier --check $(PAGE_FILES),@echo "no npm here: the JavaScript is not checked")

format: .venv/installed $(if $(NPM),node_modules/installed)
	$(BIN)/ruff check --fix $(PYTHON_FILES)
	$(BIN)/ruff format $(PYTHON_FILES)
	$(BIN)/clang-format -i $(CPP_FILES)
	$(if $(NPM),npx prettier --write --log-level warn $(PAGE_FILES))

node_modules/installed: package-lock.json
	npm ci --silent
	@touch $@

pictures: .venv/installed model.npz
	$(BIN)/python scripts/visualize.py model.npz

model.npz:
	$(MAKE) train

notebook: .venv/notebook
	$(BIN)/jupyter lab docs/lesson.ipynb

lesson: .venv/installed
	$(BIN)/python docs/make_lesson.py

docs: .venv/installed
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "Open build/docs/index.html in a browser"

# Free-threaded builds are passed over: Theano's C code counts on the interpreter's lock.
PYTHON ?= $(shell for python in python3.15 python3.14 python3.13 python3.12 python3.11 python3.10 python3 python; do \
  $$python -c 'import sys, sysconfig; sys.exit(sys.version_info < (3, 10) or bool(sysconfig.get_config_var("Py_GIL_DISABLED")))' \
    2>/dev/null && $$python -c 'import ensurepip, venv' 2>/dev/null && echo $$python && break; done)

# $(call install,MB,ARGUMENTS of pip install): pip says what failed, the last line what to look at. Without
# --no-compile, a third of the time would go to bytecode of modules that are never imported.
install = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile $(2) || { echo "error: pip could not install what requirements/ lists: it needs the network (or \
PIP_INDEX_URL, PIP_PROXY, PIP_FIND_LINKS), and $(1) MB here and 200 MB in $${TMPDIR:-/tmp}; run make again" >&2; exit 2; }

.venv/train: requirements/build.txt requirements/train.txt pyproject.toml $(wildcard build_backend/*) Makefile
	@rm -rf .venv
	@if [ -n "$(PYTHON)" ]; then \
	  echo "Making .venv with $$($(PYTHON) --version)"; \
	  $(PYTHON) -m venv .venv; \
	else \
	  echo "No CPython 3.10 or later with the venv module here; asking uv for CPython 3.13"; \
	  { python3 -m venv --clear .uv && .uv/bin/python -m pip install --quiet uv \
	    && .uv/bin/uv venv --quiet --seed --python 3.13 .venv; } >.uv.log 2>&1 \
	  || { rm -rf .venv .uv; grep -i '^error' .uv.log | tail -1 >&2; rm -f .uv.log; \
	       echo "error: there is no CPython 3.10 or later with the venv module, and uv could not fetch one; install it (Debian, Ubuntu: sudo apt-get install python3-venv python3-dev; Fedora: sudo dnf install python3-devel; macOS: brew install python) and run make again" >&2; \
	       exit 2; }; \
	  rm -rf .uv .uv.log; \
	fi
	@$(call install,250,--require-hashes -r requirements/build.txt)
	@$(call install,250,--require-hashes --no-build-isolation --use-pep517 -r requirements/train.txt)
	@$(call install,250,--no-deps --no-build-isolation -e .)
	@touch $@

.venv/installed: .venv/train requirements/test.txt requirements/axe.txt
	@$(call install,450,--require-hashes -r requirements/test.txt)
	@$(call install,450,--require-hashes --no-deps -r requirements/axe.txt)
	@touch $@

.venv/notebook: .venv/train requirements/notebook.txt
	@$(call install,400,--require-hashes -r requirements/notebook.txt)
	@touch $@

# Lasagne's own tests on the mended stack: those of 0.1 from its source archive on PyPI, and those of
# master (0.2.dev1) where LASAGNE is a checkout of it: git clone https://github.com/Lasagne/Lasagne
LASAGNE ?= ../Lasagne
LASAGNE_PYTEST = THEANO_FLAGS=optimizer=fast_compile ../../$(BIN)/python -m pytest -q \
  --disable-warnings -p mnist_cnn.compat -c /dev/null --rootdir .
lasagne-tests: .venv/installed
	mkdir -p build/lasagne
	$(BIN)/python -m pip install --quiet mock
	$(BIN)/python -m pip download --quiet --no-deps --no-build-isolation --no-binary :all: \
	  --dest build/lasagne Lasagne==0.1
	tar -xzf build/lasagne/Lasagne-0.1.tar.gz -C build/lasagne --strip-components=2 Lasagne-0.1/lasagne/tests
	cd build/lasagne && $(LASAGNE_PYTEST) tests
ifneq ($(wildcard $(LASAGNE)/lasagne/tests),)
	rm -rf build/lasagne-master && mkdir -p build/lasagne-master
	cp -r $(LASAGNE)/lasagne $(LASAGNE)/examples build/lasagne-master/
	rm -f build/lasagne-master/lasagne/conftest.py  # for doctests; pytest 9 refuses its hook
	# lists as indices, in the tests alone, which NumPy 1.23 refuses
	sed -i -e 's/output\[slices\]/output[tuple(slices)]/' \
	  -e 's/output\[\[\(slice(.* in factors\)\]\]/output[tuple(\1)]/' \
	  build/lasagne-master/lasagne/tests/layers/test_conv.py
	cd build/lasagne-master && PYTHONPATH=$$PWD $(LASAGNE_PYTEST) lasagne/tests
	# and the fast layers in networks of master's
	PYTHONPATH=$$PWD/build/lasagne-master $(BIN)/python -m pytest -q tests/fused/with_master.py \
	  tests/fused/test_batch_norm.py tests/fused/test_conv2d.py
else
	@echo "Lasagne's master is not tested: there is no checkout of it at $(LASAGNE) (LASAGNE=DIR names another)"
endif

# Theano's own tests for the CPU on the mended stack, compared with their outcomes on CPython 3.8; hours.
# THEANO_TESTS="nnet gof" runs the modules of tests whose paths contain a word; a second run continues the first.
THEANO_TESTS ?=
theano-tests: .venv/installed
	$(BIN)/python -m pip install --quiet parameterized pynose sympy
	mkdir -p build
	$(BIN)/python tests/compat/theano_suite.py run build/theano_tests.txt $(THEANO_TESTS)
	$(BIN)/python tests/compat/theano_suite.py compare build/theano_tests.txt

# Hostile files for every reader, each for so many seconds.
SECONDS_EACH ?= 600
fuzz: .venv/installed
	$(BIN)/python -m pip install --quiet atheris || echo "no atheris here: mutations alone"
	$(BIN)/python tests/fuzz.py --seconds $(SECONDS_EACH) \
	  $$($(BIN)/python -c 'import atheris' 2>/dev/null && echo --atheris)

# A long training killed at random, beside one left alone; about five minutes.
SOAK_ARGS ?= --epochs 500 --kills 40
soak: .venv/installed
	$(BIN)/python tests/soak.py $(SOAK_ARGS)

# Ctrl-C at 40 moments of first starts, from an empty cache each; about five minutes.
INTERRUPT_ARGS ?= --moments 40
interrupts: .venv/installed
	$(BIN)/python tests/interrupts.py $(INTERRUPT_ARGS)

# The kernels and the compiled Ops under ASan, UBSan and TSan, by g++ and clang++; about half an hour.
# SANITIZE="harness thread" makes some of the checks alone.
SANITIZE ?=
sanitize: .venv/installed
	$(BIN)/python tests/sanitize.py $(SANITIZE)

clean:
	rm -rf .venv build dist *.egg-info
