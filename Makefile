# Everything runs from the virtual environment in .venv, which the first target makes.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin

.PHONY: up test lint install install-dev sample clean

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
	KALAS_VAR=$${TMPDIR:-/tmp}/kalas-lint $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

test: lint
	$(BIN)/pytest $(ARGS)

# Asks the shipped model again for what the landing page shows; the first photo is the large one.
SAMPLE_PHOTOS := clothing-hoodie-db1908f6 clothing-dress-cefb387a clothing-skirt-49e9555c clothing-shoes-5fea042c
sample: install
	@cp $(SAMPLE_PHOTOS:%=annotations/demo_photos/%.jpg) static/photos/
	@$(BIN)/python manage.py annotate --json --device cpu $(SAMPLE_PHOTOS:%=static/photos/%.jpg) > kalas/sample.jsonl

clean:
	rm -rf staticfiles staticfiles.sha256 test-results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
