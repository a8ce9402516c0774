# Every target works on a bare machine with Linux, Python 3.11 and make. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
CALENDARS := .venv-calendars
TRAINING := .venv-training
SERVING := .venv-serving
SURE := $(if $(filter 1,$(YES)),--yes)
UV_VERSION := 0.13.9
export ENGINE DATABASE_URL KAFKA_BOOTSTRAP REDIS_URL

.DEFAULT_GOAL := help
.PHONY: help install demo test chaos live lint freeze format lock up down status migrate rollback tenant psql dbt feature feature-check check-recipe feast materialize push serve example \
  train reproduce promote mlflow serve-model replay bench calendars clean clean-data

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## install the locked environment into .venv

$(VENV)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is too old: use Python 3.11 or newer, for example make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing requirements.lock into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python -r requirements.lock
	@touch $@

demo: install ## a synthetic day, then today live, or DATA=files (MAP=, SYMBOL=, TENANT=); YES=1: beside other data
	@$(BIN)/python -m demo $(if $(DATA),--data $(DATA)) $(if $(MAP),--map $(MAP)) \
	  $(if $(SYMBOL),--symbol $(SYMBOL)) $(if $(TENANT),--tenant $(TENANT)) $(SURE)

test: install ## the whole suite on all cores; ARGS="-k name" picks tests, ARGS=-n0: no workers
	@$(BIN)/python -m pytest -n auto $(ARGS)

chaos: install ## the storms of tests/chaos at length: a million messages, 20 kills
	@CHAOS_MESSAGES=$(or $(CHAOS_MESSAGES),1000000) CHAOS_KILLS=$(or $(CHAOS_KILLS),20) \
	  $(BIN)/python -m pytest -s tests/chaos $(ARGS)

live: install ## an hour as users have it, with one of everything bad; MINUTES=60
	@$(BIN)/python -m tests.chaos.live --minutes $(or $(MINUTES),60) $(ARGS)

lint: install ## ruff, mypy, tsc and sqlfluff; released migrations are as they were
	@cd migrations && sha256sum --quiet --check frozen.txt
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m embedded.typecheck
	@$(BIN)/sqlfluff lint --disable-progress-bar migrations models macros tests/dbt training/models

freeze: ## note the checksums of new numbered migrations in migrations/frozen.txt
	@cd migrations && for file in [0-9]*.sql; do \
	  grep -q "  $$file$$" frozen.txt || sha256sum "$$file" >> frozen.txt; done

format: install ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: install ## pin the newest versions that pyproject.toml allows
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --generate-hashes --upgrade \
	  --no-emit-index-url --no-header --no-annotate --python-version 3.11 --quiet -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group bench --generate-hashes --upgrade \
	  --no-emit-index-url --no-header --no-annotate --python-version 3.11 --quiet -o bench/requirements.lock
	@$(BIN)/uv pip compile --group calendars --generate-hashes --upgrade \
	  --no-emit-index-url --no-header --no-annotate --python-version 3.11 --quiet -o calendars/requirements.lock
	@$(BIN)/uv pip compile --group training --generate-hashes --upgrade \
	  --no-emit-index-url --no-header --no-annotate --python-version 3.11 --quiet -o training/requirements.lock
	@$(BIN)/uv pip compile --group serving --generate-hashes --upgrade \
	  --no-emit-index-url --no-header --no-annotate --python-version 3.11 --quiet -o serving/requirements.lock

up: install ## start engine, broker and Redis, or find them running, print where they are
	@$(BIN)/python -m engine up

down: install ## stop the live demo, Triton, the embedded engine, broker and Redis; the data stays
	@$(BIN)/python -m demo.live stop
	@$(BIN)/python -m serving.triton stop
	@$(BIN)/python -m embedded.broker stop
	@$(BIN)/python -m embedded.redis stop
	@$(BIN)/python -m engine down

status: install ## the board: database, jobs, history, dead letters, disk, broker, Redis, API, ingest
	@$(BIN)/python -m engine status
	@$(BIN)/python -m ingest lag

migrate: install ## apply pending migrations, load the reference seeds
	@$(BIN)/python -m engine migrate

rollback: install ## roll back the last migration, STEPS=n, or STEPS=all; YES=1: lose what it says
	@$(BIN)/python -m engine rollback --steps="$(or $(STEPS),1)" $(SURE)

tenant: install ## ARGS="set 7 --name acme --logins acme_reader", ARGS="key 1"; ARGS=--help
	@$(BIN)/python -m engine tenant $(or $(ARGS),list)

psql: install ## psql into the engine; ARGS='-c "select 1"' passes options
	@$(BIN)/python -m engine psql $(ARGS)

dbt: install ## dbt on the engine; ARGS="build --select feature_1m"
	@$(BIN)/python -m engine dbt $(or $(ARGS),build)

feature: install ## add a field to a set: NAME=rsi_14 SET=momentum_1m, OF=market_1m.close
	@$(BIN)/python -m engine feature "$(NAME)" --set "$(SET)" $(if $(OF),--of "$(OF)")

feature-check: install ## say whether each field can be published, what it reads, what its set costs
	@$(BIN)/python -m engine feature-check

check-recipe: install ## README's "add a feature" and "a set" on a copy beside a live demo: psql to HTTP
	@$(BIN)/python -m tests.recipe

feast: install ## Feast on the engine; ARGS=apply, ARGS="feature-views list"
	@$(BIN)/python -m feast_repo feast $(or $(ARGS),apply)

materialize: install ## write what is known now to the online store; repairs it, too
	@$(BIN)/python -m feast_repo materialize

push: install ## publish closed bars every second and have them online; until Ctrl-C
	@$(BIN)/python -m feast_repo push

serve: install ## the feature API over HTTP; ARGS="--port 6566"
	@$(BIN)/python -m feast_repo serve $(ARGS)

serve-model: $(SERVING)/.installed $(TRAINING)/.installed ## Triton and its router answer with MODEL=direction_5m; ARGS="--port 6567"
	@$(BIN)/python -m serving serve "$(MODEL)" $(ARGS)

replay: $(SERVING)/.installed $(TRAINING)/.installed ## is PREDICTION=<uuid> what psql and the model give? equal, or what differs
	@$(BIN)/python -m serving replay "$(PREDICTION)" $(ARGS)

example: install ## a model trained, made again, promoted, served and replayed: each step a command of make
	@$(BIN)/python -m examples.train_and_serve

train: $(TRAINING)/.installed ## train a declared model, MLflow keeps the run: MODEL=direction_5m
	@$(TRAINING)/bin/python -m training train "$(or $(MODEL),direction_5m)" $(ARGS)

reproduce: $(TRAINING)/.installed ## train a run's model again and say what differs: RUN=
	@$(TRAINING)/bin/python -m training reproduce "$(RUN)"

promote: $(TRAINING)/.installed ## MODEL= VERSION= AS=champion|canary|shadow REASON=, or why it may not
	@$(TRAINING)/bin/python -m training promote "$(MODEL)" "$(VERSION)" "$(AS)" "$(REASON)"

mlflow: $(TRAINING)/.installed ## MLflow's server over .state/mlflow; until Ctrl-C
	@$(TRAINING)/bin/python -m training mlflow

bench: $(BENCH)/.installed ## NAME=pit on the server of DATABASE_URL; ARGS=--help
	@$(BENCH)/bin/python -m bench.$(or $(NAME),pit) $(ARGS)

$(BENCH)/.installed: bench/requirements.lock $(VENV)/.installed
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@echo "installing bench/requirements.lock into $(BENCH)"
	@$(BIN)/uv pip install --quiet --require-hashes --python $(BENCH)/bin/python -r bench/requirements.lock
	@touch $@

calendars: $(CALENDARS)/.installed ## renew the trading calendars of seeds/; ARGS=--check compares them
	@$(CALENDARS)/bin/python -m calendars $(ARGS)

$(CALENDARS)/.installed: calendars/requirements.lock $(VENV)/.installed
	@test -x $(CALENDARS)/bin/python || $(PYTHON) -m venv $(CALENDARS)
	@echo "installing calendars/requirements.lock into $(CALENDARS)"
	@$(BIN)/uv pip install --quiet --require-hashes --python $(CALENDARS)/bin/python -r calendars/requirements.lock
	@touch $@

$(TRAINING)/.installed: training/requirements.lock $(VENV)/.installed
	@test -x $(TRAINING)/bin/python || $(PYTHON) -m venv $(TRAINING)
	@echo "installing training/requirements.lock into $(TRAINING)"
	@$(BIN)/uv pip install --quiet --require-hashes --python $(TRAINING)/bin/python -r training/requirements.lock
	@touch $@

$(SERVING)/.installed: serving/requirements.lock $(VENV)/.installed
	@test -x $(SERVING)/bin/python || $(PYTHON) -m venv $(SERVING)
	@echo "installing serving/requirements.lock into $(SERVING)"
	@$(BIN)/uv pip install --quiet --require-hashes --python $(SERVING)/bin/python -r serving/requirements.lock
	@touch $@

clean: ## delete build leavings; the data stays
	@rm -rf target logs .pytest_cache .ruff_cache .mypy_cache .hypothesis

clean-data: install ## delete .state, the embedded engine's data: says what and asks, or YES=1
	@$(BIN)/python -m engine clean-data $(SURE)
