# Everything runs from the virtual environment in .venv, which the first target makes.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin

.PHONY: up test lint install install-dev clean

up: install
	@PORT=$(PORT) exec $(BIN)/python manage.py up

install:
	@$(PYTHON) kalas/install.py requirements.txt

install-dev:
	@$(PYTHON) kalas/install.py requirements-dev.txt

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	KALAS_VAR=$${TMPDIR:-/tmp}/kalas-lint $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m kalas.check_messages

test: lint
	$(BIN)/pytest $(ARGS)

clean:
	rm -rf staticfiles test-results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
