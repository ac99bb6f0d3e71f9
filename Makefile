# Nothing is needed beforehand but make and Python 3.11 or newer. ARGS="..." goes on to the command.
.DEFAULT_GOAL := help
.PHONY: help setup report data lab docs check test test-all coverage lint format lock upgrade clean
bin := .venv/bin
# Kernels and commands are processes of their own: each would compile the library anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 17

setup: ## prepare .venv, if it is not up to date (the others do this first)
	@scripts/setup.sh

report: setup ## run every notebook for every region and write the report; what did not change is not run
	$(bin)/clusterlib run $(ARGS)

data: setup ## build data/processed from data/raw
	$(bin)/clusterlib data $(ARGS)

lab: setup ## open the notebooks in JupyterLab; git then leaves out of notebooks what running them adds
	@scripts/strip.sh --install
	$(bin)/jupyter lab --notebook-dir=notebooks $(ARGS)

# Everything anew: Sphinx does not see that data or code behind an example changed. -W: a warning is an error.
docs: data ## write the documentation into docs/_build/html
	rm -f docs/_build/complete
	$(bin)/python -m sphinx -q -E -a -j auto -W --keep-going docs docs/_build/html $(ARGS)
	touch docs/_build/complete

# logical: xdist's auto counts physical cores, which on many small machines is one. Files keep the order of
# tests/conftest.py, the longest first; by default those with most tests would be, and one worker would end late.
pytest := $(bin)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder
# Files of the library that are not as in the last commit: the types of all take longer than the quick tests.
changed = git diff --name-only --diff-filter=d HEAD -- 'clusterlib/*.py'; git ls-files -o --exclude-standard -- 'clusterlib/*.py'

check: setup ## while at work: layout, types of what changed, quick tests
	$(bin)/ruff check
	$(bin)/ruff format --check
	@{ $(changed); } | xargs -r $(bin)/pyright --project . --pythonpath $(bin)/python
	$(pytest) -q -m "not slow and not lengthy" $(ARGS)

test: lint ## check the code and run the tests, but those marked slow
	$(pytest) -m "not slow" $(ARGS)

test-all: lint ## check the code and run every test
	$(pytest) $(ARGS)

coverage: setup ## which lines the tests execute, in htmlcov/index.html: a report, which holds nothing up
	-$(pytest) -q -m "not slow" --cov --cov-context=test --cov-report=html $(ARGS)

lint: setup ## check the code and the notebooks without changing them
	$(bin)/ruff check
	$(bin)/nbqa "ruff check" notebooks
	$(bin)/ruff format --check
	$(bin)/pyright --project . --pythonpath $(bin)/python

format: setup ## mend what can be mended: layout, import order, notebook outputs
	$(bin)/ruff check --fix
	$(bin)/nbqa "ruff check --fix" notebooks
	$(bin)/ruff format
	find notebooks -name '*.ipynb' -not -path '*/.*' -exec scripts/strip.sh {} +

lock: setup ## write requirements.lock anew from pyproject.toml, keeping versions that still fit
	PATH="$$PATH:$(CURDIR)/$(bin)" uv pip compile --quiet --no-config pyproject.toml --extra dev --universal \
		--python-version 3.11 --generate-hashes --custom-compile-command "make lock" -o requirements.lock $(ARGS)

upgrade: ## write requirements.lock anew with the newest versions that pyproject.toml allows
	$(MAKE) lock ARGS=--upgrade

clean: ## delete what runs wrote: data/processed, reports and caches (.venv stays)
	find $(wildcard data/processed reports) -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov
	find clusterlib tests -name __pycache__ -prune -exec rm -rf {} +
