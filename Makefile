# make train    trains on MNIST and saves model.npz
# make test     runs the tests
# make check    runs the quick ones, in less than two minutes
# make notebook opens the lesson, docs/lesson.ipynb, in JupyterLab
# make lesson   makes that notebook from docs/lesson.py, executed
# make docs     makes the documentation site, build/docs/index.html
# make fuzz     feeds hostile files to every reader: docs/faults.md
# make soak     kills a long training again and again, and compares it with one left alone
# make interrupts  presses Ctrl-C at many moments of first starts
# make sanitize runs the kernels and the compiled Ops under sanitizers, by GCC and by Clang
#
# Both make .venv first, with a CPython 3.8 to 3.11 and the versions of requirements.txt. Where only
# a newer Python is installed, uv (from PyPI, in an environment of its own) fetches CPython 3.11.

.PHONY: train test check pictures notebook lesson docs lasagne-tests fuzz soak interrupts sanitize clean
.DEFAULT_GOAL := train

SHELL := /bin/bash
BIN := .venv/bin

train: .venv/installed
	$(BIN)/python scripts/train.py --epochs 5 --batch-size 50

test: .venv/installed
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: .venv/installed
	$(BIN)/python -m pytest -m "not slow and not browser and not gpu" $(PYTEST_ARGS)

pictures: .venv/installed model.npz
	$(BIN)/python scripts/visualize.py model.npz

model.npz:
	$(MAKE) train

notebook: .venv/notebook
	$(BIN)/jupyter lab docs/lesson.ipynb

.venv/notebook: .venv/installed requirements-notebook.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -r requirements.txt -r requirements-notebook.txt -e ".[notebook]"
	@touch $@

lesson: .venv/installed
	$(BIN)/python docs/make_lesson.py

docs: .venv/installed
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "Open build/docs/index.html in a browser"

.venv/installed: requirements.txt setup.py Makefile
	@for python in python3.11 python3.10 python3.9 python3.8 python3 python; do \
	  $$python -c 'import sys; sys.exit(not (3, 8) <= sys.version_info[:2] <= (3, 11))' 2>/dev/null \
	    || continue; \
	  $$python -c 'import ensurepip, venv' 2>/dev/null \
	    || { lacks_venv=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	         continue; }; \
	  echo "Making .venv with $$($$python --version)"; \
	  $$python -m venv --clear .venv && exit; \
	done; \
	echo "No CPython 3.8 to 3.11 with the venv module here; asking uv for CPython 3.11"; \
	{ python3 -m venv --clear .uv && .uv/bin/python -m pip install --quiet --upgrade uv \
	  && .uv/bin/uv venv --quiet --clear --python 3.11 .venv \
	  && .venv/bin/python -m ensurepip >/dev/null; } 2>.uv.log \
	|| { rm -rf .venv; \
	     echo "error: CPython 3.11 could not be fetched (see .uv.log); install it (Debian, Ubuntu: sudo apt-get install $${lacks_venv:-python3.11-venv} python3.11-dev; macOS: brew install python@3.11) and run make again" >&2; \
	     exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@# axe-core, the accessibility checker, comes in a package that asks for a browser as well
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . \
	  axe-playwright-python==0.1.8
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
	rm -rf .venv .uv .uv.log build dist *.egg-info
