# `make demo` and `make test` set themselves up in .venv; nothing else is needed but Python 3.11+, a C++ compiler, cmake and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help demo test test-all bench lint docs build wheel clean
help:            ## this list
	@grep -E '^[a-z-]+: .*##' Makefile | sed 's/:.*##/\t/'

$(VENV)/ready: pyproject.toml CMakeLists.txt $(wildcard tilewright/runtime/core/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q scikit-build-core pybind11 cmake ninja lark
	$(BIN)/python -m pip install -q --no-build-isolation -e '.[test,demo,dev]'
	touch $@

demo: $(VENV)/ready     ## photographs filtered and digits learnt by ops written in .tw
	$(BIN)/python examples/demo.py

test: $(VENV)/ready     ## the fast tests: a pairwise sample of the full product
	$(BIN)/python -m pytest -q -n 2

test-all: $(VENV)/ready ## the full product
	$(BIN)/python -m pytest -q -n 2 -m 'full or not full'

bench: $(VENV)/ready    ## import, first kernel, compile time; calls, threads and memory
	$(BIN)/python benchmarks/road.py
	$(BIN)/python benchmarks/calls.py

lint: $(VENV)/ready     ## ruff, mypy strict
	$(BIN)/ruff check tilewright tests examples benchmarks
	$(BIN)/ruff format --check tilewright tests examples benchmarks
	$(BIN)/mypy

docs: $(VENV)/ready     ## rewrite the generated texts in docs/ from what the compiler prints
	$(BIN)/python docs/generate.py

build:           ## the C++ core and its tests alone
	cmake -S . -B build && cmake --build build && ctest --test-dir build --output-on-failure

wheel: $(VENV)/ready    ## dist/*.whl
	$(BIN)/python -m pip wheel -q --no-deps -w dist .

clean:           ## everything made
	rm -rf $(VENV) build dist out
