# What a person types. Each target sets up what it needs; the second time is fast.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Name a package index that serves CPU builds of torch, where the default one serves CUDA builds only:
#   make demo TORCH_INDEX=URL
TORCH_INDEX ?=
PYTEST_ARGS ?=
# Many tests wait for a network or a clock: three processes share two cores, a file of tests in one of them
# (tests/conftest.py says which tests belong together).
AT_ONCE := -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: demo test lint bench peers gallery soak systemd clean help

help: ## say what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## run the node on its embedded default: studies in, SEG and SR out, a table and pictures
	$(BIN)/dicomnode demo

test: $(READY) ## run every test (those that need a PACS are skipped by name where it is missing)
	$(BIN)/python -m pytest -q --durations=10 $(AT_ONCE) $(PYTEST_ARGS)

lint: $(READY) ## check format, rules and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY) ## measure receiving, turnaround and encoding against DCMTK, Orthanc and dcmqi
	$(BIN)/dicomnode bench receive
	$(BIN)/dicomnode bench turnaround
	$(BIN)/dicomnode bench encode
	$(BIN)/dicomnode bench hot-swap
	$(BIN)/dicomnode bench train-throughput
	$(BIN)/dicomnode bench while-training

peers: ## install Orthanc, DCMTK, the validators and a viewer (apt and npm, as root)
	deploy/peers.sh

gallery: $(READY) ## make the pictures of deploy/docs/gallery again (pages of PDFs need pdftoppm: `make peers`)
	$(BIN)/python -m tests.gallery

soak: $(READY) ## run the long tests too: full kill counts and long simulations
	DICOMNODE_SOAK=1 $(BIN)/python -m pytest -q --timeout=3600 $(AT_ONCE) $(PYTEST_ARGS)

systemd: $(READY) ## boot a real systemd in a container and run the units in it (apt, as root)
	deploy/systemd_test.sh

clean: ## remove what these targets made, the state of a trial included
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist demo-output state ./*.egg-info

# pip reads every pinned version from one file, so that two machines get the same environment.
$(READY): pyproject.toml deploy/constraints.txt deploy/environment.sh
	PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" deploy/environment.sh $(VENV)
	@touch $@
