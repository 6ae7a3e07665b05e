# Thin names for commands; tools/setup.py does the work. Needs Python 3.11 or newer.
# `make test` takes each rule once, and whatever moves money or takes a lock on both engines; the rest takes turns
# (tests/matrix.py): engines, readers, looks, hostile values. `make test FULL=1` is the whole matrix: each engine,
# every reader of each story of the browser, every look of each page, every hostile value in every field, a hundred
# simulated worlds, a run on every day that passes. It takes several times as long.

PYTHON ?= python3
PORT ?= 8000
ARGS ?=
SEEDS ?= 100
FULL ?=
BIN := .venv/bin

export PORT FULL
# Where it is exported, every start would compile the project anew: three times slower.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test simulate lint bench lock

help: ## list what make can do
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: ## set up, fill a demo and serve it on http://127.0.0.1:8000 (PORT=8010 for another port)
	@$(PYTHON) tools/setup.py run
	@exec $(BIN)/python -m portal.commands.development

test: ## run every test on SQLite and PostgreSQL, the browser's too (ARGS="-k invoice -x" for a part, FULL=1 for all)
	@$(PYTHON) tools/setup.py dev --browser --postgresql --exim --outside
	@exec $(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

simulate: ## live through small worlds of 400 days each (SEEDS=1000 for more)
	@$(PYTHON) tools/setup.py dev
	@exec $(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

lint: ## check style, types, templates, translations and what is tracked
	@$(PYTHON) tools/setup.py dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.lint_templates
	$(BIN)/python -m tools.check_translations
	$(BIN)/python -m tools.check_tracked

bench: ## measure speed, memory and size beside the bare stack
	@$(PYTHON) tools/setup.py dev --browser --postgresql --exim
	@exec $(BIN)/python -m bench $(ARGS)

lock: ## write the lock files anew from pyproject.toml (needs uv)
	@$(PYTHON) tools/lock.py $(ARGS)
