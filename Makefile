# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.jax_cache

.PHONY: help demo test test-slow bench check docs lock clean

help:
	@echo "make demo       install, and run the main job on a real micro-CT image; writes out/demo/"
	@echo "make test       install, and run the tests"
	@echo "make test-slow  the heavy tests"
	@echo "make bench      speed and memory beside public peers"
	@echo "make check      format, lint, types, import contracts"
	@echo "make docs       build the documentation into site/"
	@echo "make lock       resolve the dependencies again and rewrite the lock files"

# What a user needs, pinned.
$(VENV)/run.done: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

# What a developer needs on top, pinned: every extra, tests, checks, documentation.
$(VENV)/dev.done: requirements-dev.lock $(VENV)/run.done
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.lock
	@touch $@

demo: $(VENV)/run.done
	$(BIN)/python examples/berea.py --out out/demo

test: $(VENV)/dev.done
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/dev.done
	$(BIN)/python -m pytest -m slow --timeout 1800

bench: $(VENV)/dev.done
	$(BIN)/python -m benchmarks

check: $(VENV)/dev.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

docs: $(VENV)/dev.done
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lock: $(VENV)/dev.done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header \
		--upgrade pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header \
		--upgrade --extra all --extra fe2 --group test --group check --group docs --group lock \
		--constraint requirements.lock pyproject.toml --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) out site .jax_cache .pytest_cache .ruff_cache
