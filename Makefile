# Each target does all of its set-up, with nothing but Python >= 3.11, pip and make on the machine.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
BACKENDS := jax tensorflow torch
MKDOCS := NO_MKDOCS_2_WARNING=1 KERAS_BACKEND=torch $(BIN)/python -m mkdocs
RESULTS := benchmarks/results

.PHONY: demo docs docs-serve test test-oracles test-oldest test-faults test-places test-endurance fuzz bench bench-peers bench-bulk bench-serve pictures notebooks \
    lint format clean $(BACKENDS:%=test-%) $(BACKENDS:%=test-oldest-%)

demo: $(VENV)/.demo
	KERAS_BACKEND=jax $(BIN)/eli5 demo

test: $(BACKENDS:%=test-%)

# PyTorch, the fastest, runs all tests. What asks the same of each backend, such as the formatters,
# the command line or the sources of bulk runs, is tested there alone, but for a run of each.
test-jax test-tensorflow: TESTED := tests/keras tests/fuzz tests/demo tests/test_ipython.py \
    tests/callbacks/test_callbacks_training.py \
    tests/cli/test_cli_applications.py tests/cli/test_cli_text.py tests/docs/test_docs_examples.py

# A process per core, with one thread each. TensorFlow reports the machine it runs on; the level
# drops that.
$(BACKENDS:%=test-%): test-%: $(VENV)/.dev
	KERAS_BACKEND=$* TF_CPP_MIN_LOG_LEVEL=3 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(TESTED)

# Against captum and autograd written out by hand, on PyTorch.
test-oracles: $(VENV)/.oracles
	KERAS_BACKEND=torch $(BIN)/python -m pytest tests/oracles

# The core with the lowest versions that pyproject.toml allows. What the old releases say of
# their newer neighbours is not ours, nor that Keras 3.9 takes an array for another structure than [array].
test-oldest: $(BACKENDS:%=test-oldest-%)

test-oldest-%: OLDEST_TESTED := tests/keras/test_explain_prediction.py tests/keras/test_gradcam.py tests/keras/targets
test-oldest-torch: OLDEST_TESTED += tests/keras/methods tests/formatters/test_sheet.py tests/formatters/test_fonts.py \
    tests/formatters/test_plot.py tests/formatters/test_format_image.py tests/formatters/test_as_dataframe.py \
    tests/saving/test_saving.py tests/saving/test_older_files.py tests/cli/test_cli_text.py tests/callbacks/test_callbacks_loggers.py tests/bulk/test_bulk_parts.py \
    tests/metrics/test_imputation.py

$(BACKENDS:%=test-oldest-%): test-oldest-%: $(VENV)-oldest/.done
	KERAS_BACKEND=$* TF_CPP_MIN_LOG_LEVEL=3 OMP_NUM_THREADS=1 $(VENV)-oldest/bin/python -m pytest -n auto \
	    -W ignore::DeprecationWarning -W ignore::FutureWarning -W 'ignore:The structure of:UserWarning' $(OLDEST_TESTED)

# Bulk runs whose driver, workers, disk, Ray actors and Ray nodes fail; minutes of real processes.
test-faults: $(VENV)/.dev
	KERAS_BACKEND=jax TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m pytest -s tests/faults

# Random models that crop, pad, mirror, turn, resize, reshape, 200 on each backend, and 20 of
# `keras.applications`; and the counts.
test-places: $(VENV)/.dev
	for backend in $(BACKENDS); do KERAS_BACKEND=$$backend TF_CPP_MIN_LOG_LEVEL=3 ELI5_MOVING_MODELS=200 \
	    $(BIN)/python -m pytest -s tests/keras/layers/test_moving_models.py tests/keras/test_applications.py \
	    tests/keras/test_detectors_of_keras_hub.py \
	    || exit 1; done

# 2,000 explanations and 150 models on each backend, and by how much the process grows.
test-endurance: $(VENV)/.dev
	for backend in $(BACKENDS); do KERAS_BACKEND=$$backend TF_CPP_MIN_LOG_LEVEL=3 ELI5_EXPLANATIONS=2000 \
	    ELI5_MODELS=150 $(BIN)/python -m pytest -s tests/keras/engine/test_memory.py || exit 1; done

# Hostile calls: 10,000 on PyTorch, 1,000 on each of the others, which compile; and the counts.
fuzz: $(VENV)/.dev
	for backend in $(BACKENDS); do KERAS_BACKEND=$$backend TF_CPP_MIN_LOG_LEVEL=3 \
	    ELI5_FUZZ_CALLS=$$(test $$backend = torch && echo 10000 || echo 1000) \
	    $(BIN)/python -m pytest -s tests/fuzz || exit 1; done

# What explanations cost, in units of the backend's own forward pass.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/bench.py --backend all --json $(RESULTS)

# The same, and the alternatives beside it; then the tables of docs/performance.md.
bench-peers: $(VENV)-peers/.done $(VENV)-eli5/.done
	$(VENV)-peers/bin/python benchmarks/bench.py --backend all --json $(RESULTS) \
	    --eli5-python $(VENV)-eli5/bin/python
	$(VENV)-peers/bin/python benchmarks/report.py --write docs/performance.md $(BACKENDS:%=$(RESULTS)/%.json)

# What bulk runs cost, by the core.
bench-bulk: $(VENV)/.dev
	KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python benchmarks/bulk.py

# The web app under load, beside a loop of Python.
bench-serve: $(VENV)/.dev
	KERAS_BACKEND=torch $(BIN)/python benchmarks/serve.py

# The site of docs/, into site/, and what must hold of it; a browser finds its words.
docs: $(VENV)/.docs
	$(MKDOCS) build --strict --quiet
	KERAS_BACKEND=torch $(BIN)/python -m pytest -q -n 0 tests/site

docs-serve: $(VENV)/.docs
	$(MKDOCS) serve

# The pictures of README and docs.
pictures: $(VENV)/.dev
	KERAS_BACKEND=jax $(BIN)/python benchmarks/pictures.py

# The notebooks of examples, run and written back.
notebooks: $(VENV)/.dev
	KERAS_BACKEND=jax $(BIN)/python examples/execute.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-peers $(VENV)-eli5 site eli5-demo.html eli5-demo.png

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	    "Expected Python >= 3.11. Received: $$($(PYTHON) --version). Name one: make PYTHON=python3.12" >&2; \
	    exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[cli,jax]'
	touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev,jax,tensorflow,torch]'
	touch $@ $(VENV)/.demo

$(VENV)/.docs: $(VENV)/.dev
	$(INSTALL) --editable '.[docs]'
	touch $@

$(VENV)/.oracles: $(VENV)/.dev
	$(INSTALL) --editable '.[oracles]'
	touch $@

# Of PyTorch the lowest that the index has without CUDA; make test-oldest TORCH_OLDEST=2.4.0 names another.
$(VENV)-oldest/.done: $(VENV)/.python pyproject.toml constraints-oldest.txt
	$(BIN)/python -m venv $(VENV)-oldest
	lowest=$(TORCH_OLDEST); pin=$$(sed -n 's/^torch==//p' constraints-oldest.txt); \
	test "$$lowest" || lowest=$$($(BIN)/python -m pip index versions torch 2> /dev/null | tr ', ' '\n' \
	    | { grep '+cpu$$'; echo $$pin; } | sort -Vu | grep -Fx -A1 $$pin | sed 1d); \
	echo "PyTorch $${lowest:=$$pin}, where pyproject.toml allows $$pin"; \
	sed "s/^torch==.*/torch==$$lowest/" constraints-oldest.txt > $(VENV)-oldest/constraints.txt
	$(VENV)-oldest/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint $(VENV)-oldest/constraints.txt --editable '.[dev,oracles,jax,tensorflow,torch]'
	touch $@

$(VENV)-peers/.done: $(VENV)/.python pyproject.toml constraints.txt benchmarks/requirements-peers.txt
	$(BIN)/python -m venv $(VENV)-peers
	$(subst $(BIN),$(VENV)-peers/bin,$(INSTALL)) --editable '.[jax,tensorflow,torch]'
	$(subst $(BIN),$(VENV)-peers/bin,$(INSTALL)) --no-deps --requirement benchmarks/requirements-peers.txt
	touch $@

$(VENV)-eli5/.done: $(VENV)/.python constraints.txt benchmarks/requirements-eli5.txt
	$(BIN)/python -m venv $(VENV)-eli5
	$(subst $(BIN),$(VENV)-eli5/bin,$(INSTALL)) --requirement benchmarks/requirements-eli5.txt
	touch $@
